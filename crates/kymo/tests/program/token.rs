//! `token`: who may do what.

use serde_json::json;

use crate::support::Home;

#[test]
fn the_owners_token_is_shown_without_a_server() {
    let home = Home::new();
    let ran = home.kymo(&["token", "show"]).code(1);
    assert!(ran.stderr.contains("kymo up"), "{}", ran.stderr);
    let server = home.serve();
    let token = server.token.clone();
    server.stop();
    assert_eq!(home.kymo(&["token", "show"]).good().stdout.trim(), token);
}

#[test]
fn a_bound_token_writes_and_reads_only_what_it_is_bound_to_until_it_is_revoked() {
    let home = Home::new();
    let server = home.serve();
    let made = home
        .kymo(&[
            "token",
            "create",
            "--name",
            "ci",
            "--scope",
            "emit,read",
            "--bind",
            "source=ci",
        ])
        .good();
    let token = made.stdout.trim().to_owned();
    assert!(
        !token.is_empty() && made.stderr.contains("shown this once"),
        "{made:?}"
    );

    let with = |args: &[&str]| {
        let mut all = args.to_vec();
        all.extend(["--url", &server.url, "--token", &token]);
        home.kymo(&all)
    };
    with(&["emit", "mine", "--source", "ci"]).good();
    let ran = with(&["emit", "other", "--source", "someone"]).code(4);
    assert!(ran.stderr.contains("[not_allowed]"), "{}", ran.stderr);
    home.kymo(&["emit", "other"]).good();
    let seen = with(&["query", "--ndjson"]).good().ndjson();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (&seen[0]["type"], &seen[0]["source"]),
        (&json!("mine"), &json!("ci"))
    );
    let ran = with(&["token", "list"]).code(7);
    assert!(ran.stderr.contains("[forbidden]"), "{}", ran.stderr);

    let listed = home.kymo(&["token", "list"]).good().stdout;
    assert!(
        listed.contains("ci") && listed.contains("source=ci") && !listed.contains(&token),
        "{listed}"
    );
    home.kymo(&["token", "revoke", "ci"]).good();
    with(&["query"]).code(7);
    let ran = home.kymo(&["token", "revoke", "ci"]).code(1);
    assert!(ran.stderr.contains("[not_found]"), "{}", ran.stderr);
}

#[test]
fn a_token_with_a_name_that_exists_or_a_wrong_scope_is_refused() {
    let home = Home::new();
    let _server = home.serve();
    home.kymo(&["token", "create", "--name", "a", "--scope", "read"])
        .good();
    let ran = home
        .kymo(&["token", "create", "--name", "a", "--scope", "read"])
        .code(1);
    assert!(ran.stderr.contains("[name_taken]"), "{}", ran.stderr);
    home.kymo(&["token", "create", "--name", "b", "--scope", "everything"])
        .code(2);
    home.kymo(&[
        "token", "create", "--name", "b", "--scope", "read", "--bind", "type=x",
    ])
    .code(2);
}

#[test]
fn tokens_are_managed_without_a_server_too() {
    let home = Home::new();
    home.serve().stop();
    let token = home
        .kymo(&[
            "token",
            "create",
            "--name",
            "ci",
            "--scope",
            "emit",
            "--bind",
            "source=ci",
        ])
        .good()
        .stdout;
    let ran = home
        .kymo(&["token", "create", "--name", "ci", "--scope", "emit"])
        .code(1);
    assert!(ran.stderr.contains("[name_taken]"), "{}", ran.stderr);
    let listed = home.kymo(&["token", "list", "--json"]).good();
    assert_eq!(listed.json()["tokens"][0]["bound"], json!({ "source": "ci" }));
    assert!(!listed.stdout.contains("hash"), "{}", listed.stdout);
    let server = home.serve();
    home.kymo(&[
        "emit",
        "mine",
        "--source",
        "ci",
        "--url",
        &server.url,
        "--token",
        token.trim(),
    ])
    .good();
    assert_eq!(server.events("type:mine")[0]["source"], "ci");
    server.stop();
    home.kymo(&["token", "revoke", "ci"]).good();
    home.kymo(&["token", "revoke", "ci"]).code(1);
}
