/** The frame of everything that is not the feed: a heading with its controls, and what is below it scrolls. */
import classes from "./Room.module.css";

interface Props {
  title: string;
  /** A few words beside the title. */
  about?: React.ReactNode;
  controls?: React.ReactNode;
  /** Something that holds for all that is shown. */
  notice?: React.ReactNode;
  /** Rows from edge to edge, rather than cards. */
  isList?: boolean;
  children: React.ReactNode;
}

export function Room({ title, about, controls, notice, isList, children }: Props) {
  return (
    <main className={classes.room} aria-label={title}>
      <header className={classes.head}>
        <h2>{title}</h2>
        {about && <p>{about}</p>}
        {controls && <div className={classes.controls}>{controls}</div>}
      </header>
      {notice}
      <div className={classes.body} data-list={isList || undefined}>
        {children}
      </div>
    </main>
  );
}

/** What a room says when there is nothing in it. */
export function Nothing({
  icon,
  title,
  children,
}: {
  icon: React.ReactNode;
  title?: string;
  children: React.ReactNode;
}) {
  return (
    <div className={classes.nothing}>
      {icon}
      {title && <h3>{title}</h3>}
      {children}
    </div>
  );
}

/** One line above what is shown, about all of it. */
export function Notice({
  tone,
  icon,
  children,
  action,
}: {
  tone: "past" | "warn";
  icon: React.ReactNode;
  children: React.ReactNode;
  action?: React.ReactNode;
}) {
  return (
    <div className={classes.notice} data-tone={tone} role="status">
      {icon}
      <span>{children}</span>
      {action}
    </div>
  );
}
