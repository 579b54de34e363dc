import type { ParticipantView } from "@hubbub/client";
import type { SignalEntry } from "./mesh.js";

interface SignalLogProps {
  readonly signals: readonly SignalEntry[];
  readonly participants: readonly ParticipantView[];
}

/** The messages by which browsers agree on a call; the server passes them on and does not look inside. */
export function SignalLog({ signals, participants }: SignalLogProps) {
  if (signals.length === 0) {
    return <p className="panel-empty">Nothing yet. As soon as somebody else is here, your browsers write to each other.</p>;
  }
  const nameOf = (id: string): string => participants.find((participant) => participant.id === id)?.name ?? "someone";
  return (
    <ol className="signal-log" data-testid="signal-log">
      {signals.map((entry, index) => (
        <li key={index} data-direction={entry.direction}>
          <time dateTime={new Date(entry.at).toISOString()}>{new Date(entry.at).toLocaleTimeString()}</time>
          <span>
            {entry.direction === "sent" ? `To ${nameOf(entry.peer)}` : `From ${nameOf(entry.peer)}`}
            <small>{entry.what}</small>
          </span>
        </li>
      ))}
    </ol>
  );
}
