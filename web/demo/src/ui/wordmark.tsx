export function Wordmark() {
  return (
    <span className="wordmark">
      <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <path d="M6 3h20a5 5 0 0 1 5 5v11a5 5 0 0 1-5 5H12l-8 6a2 2 0 0 1-3-1.600V8a5 5 0 0 1 5-5z" />
        <path className="wordmark-bars" d="M9 11v5M16 8v11M23 11v5" />
      </svg>
      hubbub
    </span>
  );
}
