import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Redirect, Route, Router, Switch } from "wouter-preact";
import { useSearch as useRawSearch } from "wouter-preact/use-browser-location";
import { asFailure, me, whoAmI, type Failure } from "./api";
import { ConfigView } from "./config";
import { EnsembleView } from "./ensemble";
import { Frame } from "./frame";
import { begin } from "./live";
import { Empty, Loading, Problem } from "./parts";
import { RequestsView } from "./requests";
import { SessionsView } from "./sessions";
import { SignIn } from "./signin";
import { TreeView } from "./tree/view";
import { WarningsView } from "./warnings";
import "./theme";
import "./style.css";
import "uplot/dist/uPlot.min.css";

// parameter reads the address as it is: the router's own reading decodes a part of
// it twice, and a znode may well be called a%2Fb.
function useParameter(name: string): string | null {
  return new URLSearchParams(useRawSearch()).get(name);
}

function App() {
  const [failure, setFailure] = useState<Failure>();
  const [been, setBeen] = useState(false);
  const ask = () => {
    setFailure(undefined);
    whoAmI().catch((e) => setFailure(asFailure(e)));
  };
  useEffect(ask, []);
  const who = me.value;
  useEffect(() => {
    if (who) setBeen(true);
  }, [who]);
  if (who === undefined) {
    return <div class="lone">{failure ? <Problem failure={failure} again={ask} /> : <Loading what="who you are" />}</div>;
  }
  if (who === null && !been) return <SignIn />;
  return (
    <>
      <Frame>
        <Views />
      </Frame>
      {who === null && <SignIn over />}
    </>
  );
}

function Views() {
  const path = useParameter("path");
  const id = useParameter("id");
  return (
    <Switch>
      <Route path="/tree">
        <TreeView path={path} />
      </Route>
      <Route path="/ensemble">
        <EnsembleView />
      </Route>
      <Route path="/sessions">
        <SessionsView id={id} />
      </Route>
      <Route path="/requests">
        <RequestsView />
      </Route>
      <Route path="/config">
        <ConfigView />
      </Route>
      <Route path="/warnings">
        <WarningsView />
      </Route>
      <Route path="/">
        <Redirect to="/tree" replace />
      </Route>
      <Route>
        <div class="page">
          <Empty>There is no such page.</Empty>
        </div>
      </Route>
    </Switch>
  );
}

begin();
render(
  <Router base="/ui">
    <App />
  </Router>,
  document.getElementById("app")!,
);
