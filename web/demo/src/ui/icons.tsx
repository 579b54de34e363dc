import type { ReactNode } from "react";

/** Line icons on a grid of 24; they say nothing to screen readers, the controls around them do. */
const PATHS = {
  mic: <path d="M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM6 11a6 6 0 0 0 12 0M12 17v4" />,
  micOff: (
    <path d="M9 6a3 3 0 0 1 6 0v5q0 .6-.2 1.100M9 9v2a3 3 0 0 0 4 2.800M6 11a6 6 0 0 0 9.500 4.900M18 11q0 1.200-.4 2.200M12 17v4M4 4l16 16" />
  ),
  camera: <path d="M4 7h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1zM15 11l6-3v8l-6-3" />,
  cameraOff: (
    <path d="M9 7h4a2 2 0 0 1 2 2v3M15 15a2 2 0 0 1-2 2H4a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1M15 11l6-3v8l-3.500-1.800M4 4l16 16" />
  ),
  screen: <path d="M4 5h16a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM9 20h6M12 16v4M12 13V8.500M9.500 10.500 12 8l2.500 2.500" />,
  people: (
    <path d="M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3 19a6 6 0 0 1 12 0M16 5.300a3 3 0 0 1 0 5.400M17.500 14a6 6 0 0 1 3.500 5" />
  ),
  leave: <path d="M4 14.500c4.500-4 11.500-4 16 0l-1.500 3-4-1.200v-2.300a12 12 0 0 0-5 0v2.300l-4 1.200z" />,
  chat: <path d="M5 4h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-8l-5 4v-4H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2z" />,
  notes: <path d="M6 3h9l4 4v13a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM15 3v4h4M8.500 12h7M8.500 16h5" />,
  signal: <path d="M4 8h13M14 4.500 17.500 8 14 11.500M20 16H7M10 12.500 6.500 16l3.500 3.500" />,
  hand: <path d="M8 12V6.500a1.500 1.500 0 0 1 3 0V11V4.500a1.500 1.500 0 0 1 3 0V11V6a1.500 1.500 0 0 1 3 0v8a6 6 0 0 1-6 6.500c-3 0-4.500-1.500-6-4.500l-1.500-3a1.400 1.400 0 0 1 2.500-1.300z" />,
  board: <path d="M4 4h16v12H4zM12 16v4M8 20h8M7 12c2-4 3-4 4-1s2 2 5-3" />,
  close: <path d="M6 6l12 12M18 6 6 18" />,
  send: <path d="M4 12 20 4l-4 16-4-6zM12 14l8-10" />,
  more: <path d="M6 12h.01M12 12h.01M18 12h.01" />,
  copy: <path d="M9 9h10v11H9zM15 9V4H5v11h4" />,
} as const satisfies Record<string, ReactNode>;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {PATHS[name]}
    </svg>
  );
}
