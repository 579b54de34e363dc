import type { ReactNode } from "react";
import { Icon, type IconName } from "../ui/icons.js";

interface ControlProps {
  readonly icon: IconName;
  readonly label: string;
  readonly testId: string;
  readonly onClick: () => void;
  /** For switches: whether it is on. */
  readonly pressed?: boolean;
  /** Draws attention to what is switched off. */
  readonly warn?: boolean;
  readonly tone?: "leave";
  readonly badge?: number;
}

/** A round of buttons at the bottom of the call. */
export function Controls({ children }: { readonly children: ReactNode }) {
  return (
    <nav className="controls" aria-label="Call controls">
      {children}
    </nav>
  );
}

export function Control({ icon, label, testId, onClick, pressed, warn, tone, badge }: ControlProps) {
  return (
    <button
      type="button"
      className="control"
      data-testid={testId}
      data-warn={warn || undefined}
      data-tone={tone}
      aria-pressed={pressed}
      onClick={onClick}
    >
      <span className="control-face">
        <Icon name={icon} />
        {badge !== undefined && badge > 0 && <span className="control-badge">{badge > 99 ? "99+" : badge}</span>}
      </span>
      <span className="control-label">{label}</span>
    </button>
  );
}
