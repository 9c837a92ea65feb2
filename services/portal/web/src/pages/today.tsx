import { ask } from '../ask';
import { allowed, useLoaded } from '../load';
import { Empty, Heading, Icon, Show, Tag } from '../ui';

interface Row {
  readonly at: string;
  readonly minutes: number;
  readonly kind: string;
  readonly reason: string;
  readonly mine: boolean;
  readonly with: string;
  readonly patient: {
    readonly id: string;
    readonly name: string;
    readonly born: string;
    readonly mrn: string;
    readonly restricted: boolean;
    readonly in_care: boolean;
  };
}

const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

export function Today() {
  const [rows, again] = useLoaded('today', async () => allowed(await ask<{ appointments: Row[] }>('/appointments')));
  return (
    <>
      <Heading title="Today">
        <p class="quiet">{DAY.format(new Date())}</p>
      </Heading>
      <Show of={rows} again={again}>
        {({ appointments }) => {
          const mine = appointments.filter(row => row.mine);
          const others = appointments.filter(row => !row.mine);
          return (
            <div class="today">
              <section aria-labelledby="mine">
                <h2 id="mine">Your appointments</h2>
                {mine.length ? <List rows={mine} /> : <Empty title="Nothing is booked with you today" />}
              </section>
              <section aria-labelledby="others">
                <h2 id="others">The rest of the clinic</h2>
                <List rows={others} />
              </section>
            </div>
          );
        }}
      </Show>
    </>
  );
}

function List({ rows }: { rows: readonly Row[] }) {
  return (
    <ol class="appointments">
      {rows.map(row => (
        <li key={row.at + row.patient.id + row.with}>
          <a class="appointment" href={`/patients/${row.patient.id}`}>
            <time>{row.at}</time>
            <span class="appointment-who">
              <strong>{row.patient.name}</strong>
              <small>
                {row.reason}
                {row.mine ? '' : `, ${row.with}`}
              </small>
            </span>
            <span class="appointment-tags">
              {row.patient.restricted && (
                <Tag kind={row.patient.in_care ? 'quiet' : 'warn'}>
                  <Icon name="lock" />
                  Protected
                </Tag>
              )}
              <Tag kind="quiet">
                {row.kind}, {row.minutes} min
              </Tag>
            </span>
          </a>
        </li>
      ))}
    </ol>
  );
}
