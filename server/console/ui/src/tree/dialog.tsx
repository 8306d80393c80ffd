import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  title: ComponentChildren;
  close: () => void;
  onSubmit: () => void;
  wide?: boolean;
  dirty?: boolean; // Escape does not throw away what was written
  children: ComponentChildren;
}

// Dialog is the browser's own, with a form in it.
export function Dialog({ title, close, onSubmit, wide, dirty, children }: Props) {
  const el = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const d = el.current!;
    const back = document.activeElement as HTMLElement | null;
    d.showModal();
    return () => {
      d.close();
      back?.focus();
    };
  }, []);
  return (
    <dialog
      ref={el}
      class={wide ? "wide" : ""}
      aria-labelledby="dialog-title"
      onCancel={(e) => {
        e.preventDefault();
        if (!dirty) close();
      }}
    >
      <form
        onSubmit={(e) => {
          e.preventDefault();
          onSubmit();
        }}
      >
        <h2 id="dialog-title">{title}</h2>
        {children}
      </form>
    </dialog>
  );
}
