//! One connection that posts: what it may hold, and how it ends.
use super::*;
use crate::{budget::Budget, stage::Stage};
use tokio::{net::TcpListener, task::JoinHandle};

const HEAD_WITHIN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(60);

/// A client, and the connection that serves it.
struct Poster {
    stream: TcpStream,
    token: String,
    served: JoinHandle<io::Result<Option<Patient<TcpStream>>>>,
}

impl Poster {
    async fn connect(stage: &Stage) -> Self {
        let (stream, served) = connection().await;
        Self {
            stream,
            token: stage.token.clone(),
            served: tokio::spawn(serve(served, HEAD_WITHIN, stage.app.clone())),
        }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.expect("it is taken");
    }

    async fn announce(&mut self, length: usize) {
        self.send(head(&self.token, length)).await;
    }

    /// All that comes up to the end of the connection.
    async fn last_answer(mut self) -> String {
        let mut answer = String::new();
        let read = timeout(PATIENCE, self.stream.read_to_string(&mut answer)).await;
        read.expect("it is answered").expect("it is text");
        drop(self.stream);
        let end = timeout(PATIENCE, self.served).await.expect("it ends");
        let rest = end.expect("nobody panics").expect("it ends well");
        assert!(rest.is_none(), "the connection goes on");
        answer
    }
}

/// Both ends of a connection: the client's, and the one to be served.
async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    let stream = TcpStream::connect(addr).await.expect("it listens");
    let (served, _) = listener.accept().await.expect("a connection");
    (stream, served)
}

/// The head of a request whose body has so many bytes.
fn head(token: &str, length: usize) -> String {
    format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// An event of so many bytes.
fn event(bytes: usize) -> String {
    let frame = r#"{"type":"a.b","data":""}"#.len();
    format!(r#"{{"type":"a.b","data":"{}"}}"#, "x".repeat(bytes - frame))
}

/// Waits until bodies hold so much memory.
async fn until_held(stage: &Stage, bytes: usize) {
    let held = async {
        while stage.app.budget.used() < bytes {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, held).await.expect("it is read");
}

#[tokio::test]
async fn bodies_share_their_memory_and_who_has_none_is_told_to_come_again() {
    let stage = Stage::with(Budget::new(100_000));
    let mut slow = Poster::connect(&stage).await;
    let body = event(70_000);
    slow.announce(body.len()).await;
    slow.send(&body[..60_000]).await;
    until_held(&stage, 60_000).await;

    let mut other = Poster::connect(&stage).await;
    other.announce(body.len()).await;
    // The answer may come before all of it is taken.
    let _ = other.stream.write_all(body.as_bytes()).await;
    let answer = other.last_answer().await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(
        answer.contains("\r\nretry-after: 1\r\n") && answer.contains(r#""busy""#),
        "{answer}"
    );
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");

    // Who was there first is served to the end, and gives its memory back.
    slow.send(&body[60_000..]).await;
    slow.stream
        .shutdown()
        .await
        .expect("it says that nothing more comes");
    let answer = slow.last_answer().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(stage.app.budget.used(), 0);
}

#[tokio::test]
async fn a_request_that_has_begun_is_answered_when_the_server_ends_and_is_told_to_be_the_last() {
    let stage = Stage::new();
    let mut poster = Poster::connect(&stage).await;
    let body = event(10_000);
    poster.announce(body.len()).await;
    poster.send(&body[..5_000]).await;
    until_held(&stage, 1).await;
    stage.app.closing.cancel();
    poster.send(&body[5_000..]).await;
    let answer = poster.last_answer().await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains(r#""accepted":1"#),
        "{answer}"
    );
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(stage.app.hub().ledger().head().is_some(), "it is stored");
}

#[tokio::test]
async fn others_have_a_turn_after_each_body_that_is_refused() {
    const REQUESTS: usize = 8;
    let stage = Stage::new();
    let (mut client, served) = connection().await;
    let body = "[".repeat(LITTLE_BYTES + 1);
    let requests = (head(&stage.token, body.len()) + &body).repeat(REQUESTS);
    // All of them are there before the first is looked at.
    client.write_all(requests.as_bytes()).await.expect("it is taken");
    client.shutdown().await.expect("it says that nothing more comes");
    let (mut serving, mut turns) = (pin!(serve(served, HEAD_WITHIN, stage.app.clone())), 0);
    let end = poll_fn(|cx| {
        turns += 1;
        serving.as_mut().poll(cx)
    });
    let end = timeout(PATIENCE, end).await.expect("it ends");
    assert!(end.expect("it ends well").is_none(), "the connection goes on");
    let mut answers = String::new();
    client
        .read_to_string(&mut answers)
        .await
        .expect("they are answered");
    assert_eq!(answers.matches("HTTP/1.1 422 ").count(), REQUESTS, "{answers}");
    assert!(turns > REQUESTS, "{turns} turns");
}
