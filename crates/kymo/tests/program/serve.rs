//! `serve`, `status`, `stop`: one server to a folder, and how it begins and ends.

use std::{fs, net::TcpListener};

use serde_json::Value;

use crate::support::{Home, Running, Server, wait_for};

#[test]
fn it_says_where_it_is_once_it_accepts_and_takes_that_back_at_its_end() {
    let home = Home::new();
    let server = home.serve();
    let file: Value =
        serde_json::from_slice(&fs::read(home.data().join("server.json")).expect("there")).expect("JSON");
    assert_eq!(file["url"], server.url.as_str());
    assert_eq!(file["pid"], server.pid());
    assert_eq!(file["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        fs::read_to_string(home.data().join(".gitignore")).expect("there"),
        "*\n"
    );
    server.stop();
    assert!(!home.data().join("server.json").exists());
    let server = home.serve();
    let own: Vec<_> = server
        .events("source:kymo")
        .iter()
        .map(|event| event["type"].as_str().unwrap_or_default().to_owned())
        .collect();
    for kind in ["kymo.started", "kymo.stopping"] {
        assert!(own.iter().any(|own| own == kind), "{own:?}");
    }
}

#[test]
fn secrets_are_private_to_the_user() {
    let home = Home::new();
    let _server = home.serve();
    #[cfg(unix)]
    for name in ["token", "key"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(home.data().join(name))
            .expect("there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
    }
}

#[test]
fn a_second_one_joins_and_prints_a_fresh_login() {
    let home = Home::new();
    let server = home.serve();
    let data = home.data();
    let args = ["serve", "--data", data.to_str().expect("UTF-8")];
    let urls: Vec<String> = (0..2)
        .map(|_| {
            let ran = home.kymo(&args).good();
            let word = ran
                .stdout
                .split_whitespace()
                .find(|word| word.starts_with("http"))
                .expect("a URL")
                .to_owned();
            assert!(
                ran.stdout.contains("already running") && word.starts_with(&server.url),
                "{}",
                ran.stdout
            );
            word
        })
        .collect();
    assert_ne!(urls[0], urls[1]);
}

/// An import from a pipe that stays open holds the folder and serves nobody.
fn hold(home: &Home) -> (Running, std::process::ChildStdin) {
    fs::create_dir_all(home.data()).expect("created");
    let mut command = home.command(&["import", "-", "--data", ".kymo"]);
    command.stdin(std::process::Stdio::piped());
    let mut holding = Running::start(command);
    let stdin = holding.stdin();
    let pid = holding.pid();
    wait_for("the lock", || {
        let status = home.kymo(&["status", "--json"]);
        (status.code == 6 && status.json()["held_by"] == pid).then_some(())
    });
    (holding, stdin)
}

fn is_told(home: &Home, args: &[&str], pid: u32) {
    let ran = home.kymo(args).code(6);
    let pid = format!("pid {pid}");
    assert!(
        ran.stderr.contains("[data_folder_locked]") && ran.stderr.contains(&pid),
        "{args:?}: {}",
        ran.stderr
    );
}

#[test]
fn a_process_that_holds_the_folder_without_serving_is_named() {
    let home = Home::new();
    let (holding, stdin) = hold(&home);
    for args in [&["status"][..], &["stop"], &["import", "-"]] {
        is_told(&home, args, holding.pid());
    }
    // An emitter does not wait for it.
    let ran = home.kymo(&["emit", "hello"]).good();
    assert!(ran.stdout.contains("kept 1"), "{}", ran.stdout);
    drop(stdin);
    assert!(holding.end().0.success());
    home.serve().wait_for_events("type:hello", 1);
}

#[test]
fn a_second_server_on_a_folder_that_is_held_is_told_by_whom() {
    let home = Home::new();
    let (holding, _stdin) = hold(&home);
    is_told(&home, &["serve", "--data", ".kymo"], holding.pid());
}

#[test]
fn a_port_that_was_asked_for_and_is_taken_is_an_error_that_leaves_nothing_running() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = taken.local_addr().expect("bound").to_string();
    let ran = home.kymo(&["serve", "--data", "d", "--listen", &addr]).code(1);
    assert!(
        ran.stderr.contains(&addr) && ran.stderr.contains("--listen"),
        "{}",
        ran.stderr
    );
    home.kymo(&["status", "--data", "d"]).code(3);
}

#[test]
fn beyond_this_machine_it_listens_only_when_told_twice() {
    let home = Home::new();
    let ran = home
        .kymo(&["serve", "--data", "d", "--listen", "0.0.0.0:0"])
        .code(8);
    assert!(ran.stderr.contains("--insecure"), "{}", ran.stderr);
    let data = home.project().join("d");
    let command = home.command(&["serve", "--data", "d", "--listen", "0.0.0.0:0", "--insecure"]);
    Server::start(command, &data).stop();
}

#[test]
fn status_says_what_runs_and_what_does_not() {
    let home = Home::new();
    let ran = home.kymo(&["status"]).code(3);
    assert!(
        ran.stderr.contains("no server is running") && ran.stderr.contains("kymo up"),
        "{}",
        ran.stderr
    );
    assert_eq!(home.kymo(&["status", "--json"]).code(3).json()["running"], false);
    let server = home.serve();
    server.post("{\"type\":\"a\"}");
    let shown = home.kymo(&["status"]).good().stdout;
    assert!(shown.contains(&server.url) && shown.contains("events"), "{shown}");
    let json = home.kymo(&["status", "--json"]).good().json();
    assert_eq!(
        (&json["running"], json["url"].as_str()),
        (&Value::from(true), Some(server.url.as_str()))
    );
    assert!(
        json["metrics"]["head"].as_u64().is_some_and(|head| head >= 1),
        "{json}"
    );
}

#[test]
fn it_is_found_from_any_folder_below_and_by_its_address() {
    let home = Home::new();
    let server = home.serve();
    home.write("deep/er/file", "");
    let mut command = home.command(&["emit", "below"]);
    command.current_dir(home.project().join("deep/er"));
    crate::support::Ran::of(command).good();
    let mut command = home.command(&["emit", "below", "--url", &server.url, "--token", &server.token]);
    command.current_dir("/");
    crate::support::Ran::of(command).good();
    let mut command = home.command(&["emit", "below"]);
    command
        .current_dir("/")
        .env("KYMO_URL", &server.url)
        .env("KYMO_TOKEN", &server.token);
    crate::support::Ran::of(command).good();
    assert_eq!(server.events("type:below").len(), 3);
}

#[test]
fn without_any_folder_the_users_own_hub_is_meant() {
    let home = Home::new();
    let command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
    let data = home
        .project()
        .parent()
        .expect("there")
        .join("home/.local/share/kymo");
    let server = Server::start(command, &data);
    home.kymo(&["emit", "hello"]).good();
    assert_eq!(server.events("type:hello").len(), 1);
}

#[test]
fn stop_ends_it_and_waits_until_the_folder_is_free() {
    let home = Home::new();
    let server = home.serve();
    let ran = home.kymo(&["stop"]).good();
    assert!(ran.stdout.contains("stopped"), "{}", ran.stdout);
    assert!(server.wait().success());
    home.kymo(&["stop"]).code(3);
    let server = home.serve();
    let by_url = home
        .kymo(&["stop", "--url", &server.url, "--token", &server.token])
        .good();
    assert!(by_url.stdout.contains("stopped"), "{}", by_url.stdout);
    assert!(server.wait().success());
}

#[test]
fn an_end_by_signal_loses_nothing_that_was_acknowledged() {
    let home = Home::new();
    for (round, name) in ["TERM", "INT", "HUP"].into_iter().enumerate() {
        let server = home.serve();
        let (_, receipt) = server.post(format!("{{\"type\":\"last\",\"data\":{{\"n\":{round}}}}}"));
        assert_eq!(receipt["accepted"], 1);
        server.signal(name);
        assert!(server.wait().success(), "{name}");
    }
    let server = home.serve();
    assert_eq!(crate::support::numbers(&server.events("type:last")), [0, 1, 2]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_started_to_outlive_its_terminal_does() {
    let home = Home::new();
    let kymo = env!("CARGO_BIN_EXE_kymo");
    let script = format!("trap '' HUP; exec {kymo} serve --data .kymo --listen 127.0.0.1:0");
    let server = Server::start(home.program("sh", &["-c", &script]), &home.data());
    server.signal("HUP");
    assert_eq!(server.post("{\"type\":\"after\"}").0, 200);
    assert!(server.events("type:kymo.stopping").is_empty());
    server.stop();
}

#[test]
fn a_folder_that_cannot_be_written_is_said_with_what_to_do() {
    let home = Home::new();
    home.write("blocked", "a file, not a folder");
    let ran = home
        .kymo(&["serve", "--data", "blocked/data", "--listen", "127.0.0.1:0"])
        .code(1);
    assert!(ran.stderr.contains("blocked/data"), "{}", ran.stderr);
    #[cfg(target_os = "linux")]
    {
        // Where even root may not write.
        let ran = home
            .kymo(&["serve", "--data", "/proc/kymo", "--listen", "127.0.0.1:0"])
            .code(1);
        assert!(ran.stderr.contains("/proc/kymo"), "{}", ran.stderr);
    }
}

/// A shell script in which this folder of the project is mounted read-only; `None` where that is not allowed.
#[cfg(target_os = "linux")]
fn with_read_only_mount(home: &Home, script: &str) -> Option<crate::support::Ran> {
    let mount = "mount --bind .kymo .kymo && mount -o remount,ro,bind .kymo";
    let in_shell = |script: &str| {
        let script = format!("{mount} && {script}");
        home.program("unshare", &["--map-root-user", "--mount", "sh", "-c", &script])
    };
    let allowed = in_shell("true")
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !allowed {
        println!("skipped: mounts are not allowed here");
        return None;
    }
    Some(crate::support::Ran::of(in_shell(script)))
}

#[cfg(target_os = "linux")]
#[test]
fn a_data_folder_on_a_read_only_disk_is_said_and_can_still_be_read() {
    let home = Home::new();
    let server = home.serve();
    server.post("{\"type\":\"a\",\"data\":{\"n\":1}}");
    server.stop();
    let kymo = env!("CARGO_BIN_EXE_kymo");
    for command in [
        "serve --data .kymo --listen 127.0.0.1:0",
        "up --no-open",
        "import - --data .kymo",
        "emit hello",
    ] {
        let Some(ran) = with_read_only_mount(&home, &format!("exec {kymo} {command}")) else {
            return;
        };
        let ran = ran.code(1);
        assert!(
            ran.stderr.contains(".kymo") && ran.stderr.contains("must be writable"),
            "{command}: {}",
            ran.stderr
        );
    }
    let read = format!(
        "{kymo} query type:a --ndjson && {kymo} verify >&2 && {kymo} head >&2 && {kymo} status >&2 || exit $?"
    );
    let ran = with_read_only_mount(&home, &read)
        .expect("allowed a moment ago")
        .code(3);
    assert_eq!(crate::support::numbers(&ran.ndjson()), [1]);
    assert!(
        ran.stderr.contains("good") && ran.stderr.contains("no server is running"),
        "{}",
        ran.stderr
    );
}
