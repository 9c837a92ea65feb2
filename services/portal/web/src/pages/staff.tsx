import { useState } from 'preact/hooks';
import { ask, inWords } from '../ask';
import { allowed, told, useLoaded } from '../load';
import { Button, Heading, Notice, Show, Tag, words } from '../ui';

interface Member {
  readonly id: string;
  readonly name: string;
  readonly title: string;
  readonly roles: readonly string[];
  readonly code_open: boolean;
}

export function Staff() {
  const [staff, again] = useLoaded('staff', async () => allowed(await ask<{ staff: Member[] }>('/administer/staff')));
  const [message, setMessage] = useState<{ kind: 'good' | 'bad'; text: string }>();
  const renew = async (member: Member) => {
    try {
      const answer = await ask<{ code: string }>('/administer/code', { staff_id: member.id });
      if (answer.outcome === 'allow' && answer.result) {
        setMessage({ kind: 'good', text: `Code for ${member.name}: ${answer.result.code}. Hand it over in person; it opens once.` });
        again();
      } else setMessage({ kind: 'bad', text: inWords(answer) });
    } catch (error) {
      setMessage({ kind: 'bad', text: told(error).message });
    }
  };
  return (
    <>
      <Heading title="Staff">
        <p class="quiet">Who works here, and a code for those who make their first passkey or lost every one.</p>
      </Heading>
      {message && <Notice kind={message.kind}>{message.text}</Notice>}
      <Show of={staff} again={again}>
        {({ staff }) => (
          <div class="card scroll" tabIndex={0} role="region" aria-label="Staff list">
            <table>
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Staff ID</th>
                  <th scope="col">Roles</th>
                  <th scope="col">Enrolment code</th>
                  <th scope="col">
                    <span class="hidden">Actions</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {staff.map(member => (
                  <tr key={member.id}>
                    <th scope="row">
                      {member.name}
                      <small>{member.title}</small>
                    </th>
                    <td>
                      <code>{member.id}</code>
                    </td>
                    <td>{member.roles.map(role => words(role, '')).join(', ')}</td>
                    <td>
                      <Tag kind={member.code_open ? 'warn' : 'quiet'}>{member.code_open ? 'Open' : 'Used'}</Tag>
                    </td>
                    <td>
                      <Button look="plain" onClick={() => renew(member)} aria-label={`New code for ${member.name}`}>
                        New code
                      </Button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Show>
    </>
  );
}
