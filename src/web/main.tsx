import { render } from 'preact';
import { App } from './app.tsx';

const element = document.getElementById('app');
if (element) render(<App />, element);
