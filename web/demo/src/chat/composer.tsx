import type { Room } from "@hubbub/client";
import { useState } from "react";
import { Icon } from "../ui/icons.js";

interface ComposerProps {
  readonly room: Room;
  readonly disabled: boolean;
  readonly onProblem: (problem: unknown) => void;
  readonly onSent: () => void;
}

/** The server takes 8 KiB of UTF-8; four bytes a character at most. */
const MAX_LENGTH = 2_000;

export function Composer({ room, disabled, onProblem, onSent }: ComposerProps) {
  const [text, setText] = useState("");
  const send = (): void => {
    if (!text.trim()) return;
    try {
      room.chat.send(text.trim());
      room.presence.typing(false);
      setText("");
      onSent();
    } catch (problem) {
      onProblem(problem);
    }
  };
  if (disabled) return <p className="panel-empty">You may read here, but not write.</p>;
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        aria-label="Message"
        data-testid="chat-input"
        placeholder="Write to everybody"
        rows={1}
        maxLength={MAX_LENGTH}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          room.presence.typing(event.target.value !== "");
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <button aria-label="Send" data-testid="chat-send" disabled={!text.trim()}>
        <Icon name="send" />
      </button>
    </form>
  );
}
