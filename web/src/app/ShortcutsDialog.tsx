/** The keys, in one place. */
import { Kbd, Modal } from "@mantine/core";
import classes from "./App.module.css";
import { SHORTCUTS } from "./shortcuts";

export function ShortcutsDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Keyboard"
      centered
      size="sm"
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <dl className={classes.shortcuts}>
        {SHORTCUTS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
