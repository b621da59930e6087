import type { ReactNode } from "react";
import sun from "./sun.svg";

/** The strip that both pages share: the name, what there is to say, and the ways out. */
export function TopBar({ children, links }: { children: ReactNode; links: ReactNode }) {
  return (
    <header className="top-bar">
      <a className="brand" href="/">
        <img src={sun} alt="" width="20" height="20" />
        heliograph
      </a>
      <div className="notice">{children}</div>
      <nav>{links}</nav>
    </header>
  );
}
