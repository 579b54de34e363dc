/**
 * Tells an element's height in device pixels whenever it changes; 0 while the element is out of sight.
 * Returns the function that stops.
 */
export function watchSize(element: Element, tell: (height: number) => void): () => void {
  let height = 0;
  let visible = false;
  const report = (): void => tell(visible ? Math.round(height * devicePixelRatio) : 0);
  const size = new ResizeObserver(([entry]) => {
    height = entry?.contentRect.height ?? height;
    report();
  });
  const sight = new IntersectionObserver((entries) => {
    visible = entries[entries.length - 1]?.isIntersecting ?? visible;
    report();
  });
  size.observe(element);
  sight.observe(element);
  return () => {
    size.disconnect();
    sight.disconnect();
  };
}
