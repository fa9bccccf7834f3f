import { useEffect } from 'preact/hooks';
import { loggedInUser, logOut } from '../control/login.ts';
import { choices, settings } from '../settings.ts';
import { moreTexts } from '../text/more-texts.ts';
import { texts } from '../text/texts.ts';
import { lookAtHealth } from './health.ts';
import { HealthCard } from './health-card.tsx';
import { HttpsHelp } from './https-help.tsx';
import { JoinHelp } from './join-help.tsx';

export function MorePage() {
  useEffect(() => void lookAtHealth(), []);
  const words = moreTexts.value;
  return (
    <div class="more">
      <LoginCard />
      <section class="card">
        <h2>{words.looks}</h2>
        <div class="settings">
          {(Object.keys(settings) as (keyof typeof settings)[]).map((name) => (
            <Choice key={name} name={name} />
          ))}
        </div>
      </section>
      <JoinHelp />
      <HealthCard />
      <HttpsHelp />
      <section class="card">
        <h2>{words.keys}</h2>
        <dl>
          {words.keyList.map(({ keys, does }) => (
            <div key={keys}>
              <dt>{keys}</dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
      </section>
      <section class="card">
        <h2>{words.licences}</h2>
        <p>{words.licence}</p>
        <p>
          <a href="licenses.txt">{words.licenceList}</a>
        </p>
      </section>
    </div>
  );
}

function LoginCard() {
  const user = loggedInUser.value;
  if (user === undefined) return null;
  return (
    <section class="card line">
      <span class="cut">{texts.value.login.as(user)}</span>
      <button type="button" onClick={logOut}>
        {texts.value.login.out}
      </button>
    </section>
  );
}

/** One setting of this page. */
function Choice({ name }: { readonly name: keyof typeof settings }) {
  const { settings: labels, options } = moreTexts.value;
  const setting = settings[name];
  const names: Readonly<Record<string, string>> = options[name];
  return (
    <label class="field">
      <span>{labels[name]}</span>
      <select
        value={setting.value}
        onChange={({ currentTarget }) => {
          setting.value = currentTarget.value as never;
        }}
      >
        {choices[name].map((option) => (
          <option key={option} value={option}>
            {names[option]}
          </option>
        ))}
      </select>
    </label>
  );
}
