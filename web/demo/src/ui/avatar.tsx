import type { CSSProperties } from "react";

/** Initials on a colour that is always the same for the same person. */
export function Avatar({ identity, name }: { readonly identity: string; readonly name: string }) {
  const style = { "--hue": String(hueOf(identity)) } as CSSProperties;
  return (
    <span className="avatar" style={style} aria-hidden="true">
      {initials(name)}
    </span>
  );
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/u);
  const letters = [words[0], words.length > 1 ? words[words.length - 1] : undefined];
  return letters.map((word) => firstLetter(word ?? "")).join("").toUpperCase() || "?";
}

function hueOf(identity: string): number {
  let hash = 0;
  for (const character of identity) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return hash;
}

/** What a reader takes for one letter, of whatever script. */
function firstLetter(word: string): string {
  const [first] = new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(word);
  return first?.segment ?? "";
}
