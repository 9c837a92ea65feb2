import type { ComponentChildren, JSX } from 'preact';
import type { Loaded } from './load';

/** Line icons, drawn by hand on a grid of 24. They say nothing that the text beside them does not. */
const ICONS = {
  today: 'M7 3v3M17 3v3M4 9h16M5 5h14a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1z',
  activity: 'M3 12h4l3-8 4 16 3-8h4',
  data: 'M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6z',
  staff: 'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-6 7-6s7 2 7 6M16 4a4 4 0 0 1 0 7M18 15c3 .6 4 3 4 6',
  console: 'M4 20V10M10 20V4M16 20v-8M22 20H2',
  key: 'M8 15a4 4 0 1 1 3.5-6H21v3h-2v3h-3v-3h-4.500A4 4 0 0 1 8 15zM8 11h.01',
  switch: 'M4 8h13l-3-3M20 16H7l3 3',
  lock: 'M6 11h12v9H6zM8 11V8a4 4 0 0 1 8 0v3',
  alert: 'M12 4l9 16H3zM12 10v4M12 17h.01',
  check: 'M5 12l5 5 9-10',
  video: 'M3 7h11v10H3zM14 11l7-4v10l-7-4',
  pen: 'M4 20l1-5L16 4l4 4L9 19zM14 6l4 4',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2',
  back: 'M14 6l-6 6 6 6',
} as const;

export function Icon({ name }: { name: keyof typeof ICONS }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={ICONS[name]} />
    </svg>
  );
}

export function Button(
  props: JSX.ButtonHTMLAttributes<HTMLButtonElement> & { look?: 'main' | 'plain' | 'danger'; busy?: boolean },
) {
  const { look, busy, children, class: _, onClick, ...rest } = props;
  return (
    <button
      type="button"
      {...rest}
      class={`button ${look ?? ''}`}
      aria-disabled={busy ? 'true' : undefined}
      aria-busy={busy ? 'true' : undefined}
      onClick={event => (busy ? event.preventDefault() : onClick?.(event))}
    >
      {busy && <span class="spinner" aria-hidden="true" />}
      {children}
    </button>
  );
}

export function Notice({ kind, children }: { kind: 'info' | 'good' | 'warn' | 'bad'; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind}`} role={kind === 'bad' ? 'alert' : 'status'}>
      {children}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}

/** What is on its way, or could not be had; the rest is drawn by the function. */
export function Show<T>(props: { of: Loaded<T>; again: () => void; children: (value: T) => ComponentChildren }) {
  const { of, again } = props;
  if (of.state === 'ready') return <>{props.children(of.value)}</>;
  if (of.state === 'loading') {
    return (
      <div class="skeleton" role="status">
        <span class="hidden">Loading</span>
        <i />
        <i />
        <i />
      </div>
    );
  }
  return (
    <div class="card failed">
      <Notice kind={of.code === 'cancelled' ? 'warn' : 'bad'}>{of.message}</Notice>
      {of.code !== 'deny' && <Button onClick={again}>Try again</Button>}
    </div>
  );
}

export function Tag({ kind, children }: { kind: 'good' | 'warn' | 'bad' | 'quiet'; children: ComponentChildren }) {
  return <span class={`tag ${kind}`}>{children}</span>;
}

/** A page's heading, which takes the focus when the page changes so that screen readers say where one is. */
export function Heading({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <header class="heading">
      <h1 tabIndex={-1}>{title}</h1>
      {children}
    </header>
  );
}

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export function when(seconds: number): string {
  return TIME.format(new Date(seconds * 1000));
}

/** `KEY_LIKE_THIS` as a person would write it. */
export function words(name: string | undefined, prefix: string): string {
  const text = (name ?? '').replace(prefix, '').replaceAll('_', ' ').toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
