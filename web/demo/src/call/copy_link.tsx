import { useEffect, useState } from "react";
import { Icon } from "../ui/icons.js";

const SHOWN_MS = 2_000;

export function CopyLink({ link }: { readonly link: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(link);
      setCopied(true);
    } catch {
      // No clipboard on this page: the link can be copied by hand.
      prompt("The link to this room", link);
    }
  };
  return (
    <button type="button" className="quiet copy-link" onClick={() => void copy()}>
      <Icon name="copy" />
      <span aria-live="polite">{copied ? "Copied" : "Copy link"}</span>
    </button>
  );
}
