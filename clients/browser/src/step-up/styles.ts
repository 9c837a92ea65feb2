// A constructed style sheet: it needs no inline style, so a strict `style-src 'self'` allows it.
const CSS = `
:host { display: contents; }
dialog {
  --accent: var(--keyward-accent, #0b5cad);
  --accent-text: var(--keyward-accent-text, #ffffff);
  --surface: var(--keyward-surface, #ffffff);
  --text: var(--keyward-text, #16202a);
  --muted: var(--keyward-muted, #4a5764);
  --line: var(--keyward-line, #76828e);
  --error: var(--keyward-error, #a4141f);
  --error-surface: var(--keyward-error-surface, #fdf0f0);
  --radius: var(--keyward-radius, 12px);
  box-sizing: border-box;
  inline-size: min(28rem, calc(100vw - 2rem));
  max-block-size: calc(100dvh - 2rem);
  overflow: auto;
  padding: 1.5rem 1.5rem .5rem;
  border: 1px solid var(--line);
  border-radius: var(--radius);
  background: var(--surface);
  color: var(--text);
  font: 400 1rem/1.5 var(--keyward-font, system-ui, sans-serif);
  text-align: start;
  box-shadow: 0 1rem 3rem rgb(0 0 0 / 25%);
}
dialog::backdrop { background: var(--keyward-backdrop, rgb(10 20 30 / 55%)); }
h2 { margin: 0 0 .5rem; font-size: 1.25rem; line-height: 1.3; }
h3 { margin: 1rem 0 .25rem; font-size: .875rem; color: var(--muted); }
p { margin: 0 0 .75rem; }
ul { margin: 0 0 .75rem; padding-inline-start: 1.25rem; }
label { display: block; font-weight: 600; }
.hint { color: var(--muted); font-size: .875rem; margin: 0 0 .25rem; }
textarea {
  box-sizing: border-box;
  inline-size: 100%;
  min-block-size: 5.5rem;
  margin-block-end: .75rem;
  padding: .5rem;
  border: 1px solid var(--line);
  border-radius: calc(var(--radius) / 2);
  background: var(--surface);
  color: inherit;
  font: inherit;
}
[role="alert"]:not(:empty) {
  margin: 0 0 .75rem;
  padding: .5rem .75rem;
  border-inline-start: 4px solid var(--error);
  background: var(--error-surface);
  color: var(--error);
}
[role="status"] { min-block-size: 1.5em; margin: .25rem 0 0; text-align: center; color: var(--muted); }
.actions { display: grid; gap: .5rem; }
button {
  min-block-size: 2.75rem;
  padding: .5rem 1rem;
  border: 1px solid var(--line);
  border-radius: calc(var(--radius) / 2);
  background: var(--surface);
  color: var(--text);
  font: inherit;
  cursor: pointer;
}
button.main { border-color: var(--accent); background: var(--accent); color: var(--accent-text); font-weight: 600; }
button.plain { border-color: transparent; color: var(--muted); }
button[aria-disabled="true"] { cursor: progress; opacity: .75; }
:is(button, textarea):focus-visible { outline: 3px solid var(--keyward-focus, #b45309); outline-offset: 2px; }
[hidden] { display: none; }
`;

let sheet: CSSStyleSheet | undefined;

/** The prompt's style sheet, shared by all of them. */
export function styles(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
