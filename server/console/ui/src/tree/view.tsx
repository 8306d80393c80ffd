import { useEffect, useMemo } from "preact/hooks";
import { fresh, onNode, watched } from "../live";
import { ancestors, nameOf, plain } from "../names";
import { useTitle } from "../parts";
import { Model } from "./model";
import { NodePane } from "./node";
import { TreePane } from "./pane";

const mostWatched = 60;

// The tree stays as it was left while other views are looked at.
let kept: Model | undefined;

// TreeView has the tree at the left and at the right the znode that the address
// names. On narrow screens there is one of them at a time.
export function TreeView({ path }: { path: string | null }) {
  const model = useMemo(() => (kept ??= new Model()), []);
  const valid = path === null || path === "/" || /^(\/[^/]+)+$/.test(path);
  const at = path !== null && valid ? path : "/";
  useTitle(path === null ? "Tree" : at === "/" ? "/" : `${plain(nameOf(at))} – ${plain(at)}`);

  useEffect(() => onNode((e) => model.hear(e)), [model]);
  const missed = fresh.value;
  useEffect(() => {
    if (missed) model.outdateAll();
  }, [missed, model]);

  // Events are asked for where one looks: the znode, what is above it, what is open.
  const changed = model.changed.value;
  useEffect(() => {
    const want = new Set([at, ...ancestors(at), ...model.opened().reverse()]);
    const next = [...want].slice(0, mostWatched).sort();
    if (next.join("\0") !== watched.peek().join("\0")) watched.value = next;
  }, [changed, at, model]);
  useEffect(() => () => void (watched.value = []), []);

  return (
    <div class={`tree-view ${path === null ? "at-tree" : "at-node"}`}>
      <TreePane model={model} selected={at} explicit={path !== null} />
      {valid ? (
        <NodePane key={at} path={at} model={model} />
      ) : (
        <section class="node">
          <p class="state empty">
            “{plain(path!)}” is no path of a znode: it begins with / and has no empty parts.
          </p>
        </section>
      )}
    </div>
  );
}
