import { useEffect, useRef, type ReactNode } from "react";
import { Icon } from "../ui/icons.js";

interface PanelProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly extra?: ReactNode;
}

/** Beside the stage on wide screens, over it on phones. */
export function Panel({ title, onClose, children, extra }: PanelProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  // Whoever opens it by keyboard goes on inside it.
  useEffect(() => heading.current?.focus(), []);
  return (
    <aside
      className="panel"
      aria-label={title}
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
    >
      <header className="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        {extra}
        <button type="button" className="quiet" aria-label={`Close ${title.toLowerCase()}`} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </aside>
  );
}
