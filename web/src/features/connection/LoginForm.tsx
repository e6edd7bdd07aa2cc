/** What somebody sees who is not logged in: the easy way, and the other one. */
import { Button, PasswordInput } from "@mantine/core";
import { IconLock } from "@tabler/icons-react";
import { useState } from "react";
import { CopyLine } from "../../ui/CopyLine";
import classes from "./LoginForm.module.css";

export function LoginForm({ onToken, rejected }: { onToken: (token: string) => void; rejected: boolean }) {
  const [token, setToken] = useState("");
  return (
    <main className={classes.page}>
      <form
        className={classes.card}
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim()) onToken(token.trim());
        }}
      >
        <IconLock size={26} stroke={1.4} aria-hidden="true" />
        <h1>Not logged in</h1>
        <p>
          In the folder you watch, run this. It prints a link that lets this browser in, and joins the server
          that is running:
        </p>
        <CopyLine text="kymo up" />
        <p>Or paste a token. It is kept in this tab only.</p>
        <PasswordInput
          className={classes.token}
          aria-label="Token"
          placeholder="token"
          autoComplete="off"
          value={token}
          error={rejected ? "This token was not accepted." : undefined}
          onChange={(event) => setToken(event.currentTarget.value)}
        />
        <Button type="submit" fullWidth disabled={token.trim() === ""}>
          Enter
        </Button>
      </form>
    </main>
  );
}
