import type { HubbubError } from "@hubbub/client";
import { Wordmark } from "../ui/wordmark.js";

interface EndedProps {
  readonly error: HubbubError | null;
  readonly onRejoin: () => void;
  readonly onLobby: () => void;
}

/** After the call: why it is over, and how to go on. */
export function Ended({ error, onRejoin, onLobby }: EndedProps) {
  const { title, text } = words(error);
  return (
    <main className="ended">
      <Wordmark />
      <div className="ended-card bubble" data-testid="ended">
        <h1>{title}</h1>
        <p>{text}</p>
        <div className="ended-actions">
          <button type="button" className="primary" onClick={onRejoin} autoFocus>
            Join again
          </button>
          <button type="button" className="secondary" onClick={onLobby}>
            Back to the start
          </button>
        </div>
      </div>
    </main>
  );
}

function words(error: HubbubError | null): { title: string; text: string } {
  switch (error?.reason) {
    case undefined:
    case "closed":
      return { title: "You left", text: "The others may still be talking." };
    case "forbidden":
      return { title: "You were shown out", text: "A moderator ended your stay in this room." };
    case "room_closed":
      return { title: "The room is closed", text: "Whoever runs it has ended it for everybody." };
    case "resumed_elsewhere":
      return { title: "You are here in another window", text: "The call went on there." };
    case "unauthorized":
      return { title: "Your invitation has run out", text: "Ask for a new link to come back." };
    default:
      return { title: "The call ended", text: error?.message ?? "" };
  }
}
