import { useState } from "react";

/** A text to take away. The button is left out where the browser forbids a page to copy. */
export function Snippet({ label, text }: { label: string; text: string }) {
  const [copied, setCopied] = useState<string | null>(null);
  const canCopy = "clipboard" in navigator;
  const copy = () => void navigator.clipboard.writeText(text).then(() => setCopied(text));
  return (
    <div className="snippet">
      <pre>
        <code>{text}</code>
      </pre>
      {canCopy && (
        <button type="button" onClick={copy} aria-label={`Copy the ${label}`}>
          {copied === text ? "Copied" : "Copy"}
        </button>
      )}
    </div>
  );
}
