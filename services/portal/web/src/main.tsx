import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Trouble } from './api';
import { Console } from './console/page';
import { Activity } from './pages/activity';
import { Chart } from './pages/chart';
import { MyData } from './pages/my-data';
import { SignIn } from './pages/sign-in';
import { Staff } from './pages/staff';
import { Today } from './pages/today';
import { go, usePath } from './route';
import { Shell } from './shell';
import { useSignal } from './signal';
import { Button, Empty, Notice } from './ui';
import { refresh, visit } from './visit';

function App() {
  const here = useSignal(visit);
  const [trouble, setTrouble] = useState('');
  const load = () => {
    setTrouble('');
    refresh().catch(error => setTrouble(error instanceof Trouble ? error.message : 'The portal could not be started.'));
  };
  useEffect(load, []);
  if (trouble) {
    return (
      <main class="alone">
        <Notice kind="bad">{trouble}</Notice>
        <Button onClick={load}>Try again</Button>
      </main>
    );
  }
  if (!here) return <main class="alone" aria-busy="true" />;
  if (!here.person) return <SignIn visit={here} />;
  return (
    <Shell person={here.person} held={here.held}>
      <Page officer={here.person.officer} />
    </Shell>
  );
}

function Page({ officer }: { officer: boolean }) {
  const path = usePath();
  const chart = /^\/patients\/([\w-]+)$/.exec(path)?.[1];
  useEffect(() => document.querySelector<HTMLElement>('main h1')?.focus(), [path]);
  if (chart) return <Chart key={chart} id={chart} />;
  if (path === '/activity') return <Activity />;
  if (path === '/my-data') return <MyData />;
  if (path === '/staff' && officer) return <Staff />;
  if (path.startsWith('/console') && officer) return <Console />;
  if (path !== '/') {
    return (
      <Empty title="There is no such page">
        <Button onClick={() => go('/')}>Back to today</Button>
      </Empty>
    );
  }
  return <Today />;
}

const root = document.getElementById('app');
if (root) render(<App />, root);
