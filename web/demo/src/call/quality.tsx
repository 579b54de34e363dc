/** Bars for the quality of a connection, 0 to 5. Nothing while there is no opinion. */
export function Quality({ score }: { readonly score: number | null }) {
  if (score === null) return null;
  const bars = Math.max(1, Math.ceil((score / 5) * 3));
  const words = ["", "poor", "fair", "good"][bars] ?? "good";
  return (
    <span className="quality" data-bars={bars} role="img" aria-label={`Connection: ${words}`} title={`Connection: ${words}`}>
      <i />
      <i />
      <i />
    </span>
  );
}
