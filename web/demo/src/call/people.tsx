import type { ParticipantView } from "@hubbub/client";
import { Avatar } from "../ui/avatar.js";
import { Icon } from "../ui/icons.js";
import { Quality } from "./quality.js";

interface PeopleProps {
  readonly participants: readonly ParticipantView[];
  /** Whose microphone is off. */
  readonly silent: ReadonlySet<string>;
}

export function People({ participants, silent }: PeopleProps) {
  return (
    <ul className="people" data-testid="participants">
      {participants.map((participant) => (
        <li key={participant.id} data-participant={participant.id} data-speaking={participant.speaking || undefined}>
          <Avatar identity={participant.identity} name={participant.name} />
          <span className="people-name">
            {participant.name}
            {participant.local && <small> (you)</small>}
          </span>
          {participant.presence.hand === true && (
            <span role="img" aria-label="Hand raised">
              <Icon name="hand" />
            </span>
          )}
          <Quality score={participant.quality} />
          {silent.has(participant.id) && (
            <span role="img" aria-label="Muted" className="people-muted">
              <Icon name="micOff" />
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}
