/** What somebody sees at an address that leads nowhere. */
import { Button } from "@mantine/core";
import { IconMapPinOff } from "@tabler/icons-react";
import { useEffect } from "react";
import classes from "./NotFound.module.css";

export function NotFound({ path }: { path: string }) {
  useEffect(() => {
    document.title = "Not found · Kymo";
  }, []);
  return (
    <main className={classes.page}>
      <IconMapPinOff size={34} stroke={1.3} aria-hidden="true" />
      <h1>Not found</h1>
      <p>
        There is nothing at <code>{path}</code>.
      </p>
      <Button component="a" href="/" variant="light">
        To the live feed
      </Button>
    </main>
  );
}
