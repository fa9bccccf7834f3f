import type { FormFault, FormField } from './announce-fault.ts';

interface FieldFaultProps {
  readonly of: FormField;
  readonly fault: FormFault | undefined;
}

/** Why the server did not take a field. */
export function FieldFault({ of, fault }: FieldFaultProps) {
  if (fault?.field !== of) return null;
  return (
    <span class="fault" role="alert">
      {fault.text}
    </span>
  );
}
