//! An HTTP server that answers as a test tells it: the whole, an error, half an answer, or nothing at all.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What follows the dot of `x-amz-target`; for records method and path.
    pub operation: String,
    pub body: Value,
    pub authorization: Option<String>,
}

/// An answer.
pub enum Answer {
    Json(Value),
    Fault(u16, &'static str),
    Text(u16, String),
    /// The head promises more than comes.
    Half(Value),
    /// Nothing comes for so long.
    Silence(Duration),
}

/// Answers one request; the number counts all requests from 0.
pub type Script = dyn Fn(usize, &Asked) -> Answer + Send + Sync;

/// A server that answers by a script.
pub struct Scripted {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Scripted {
    pub fn start(script: Arc<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let seen = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, seen) = (script.clone(), seen.clone());
                std::thread::spawn(move || serve(stream.unwrap(), script.as_ref(), &seen));
            }
        });
        Self { url, asked }
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often an operation was asked for.
    pub fn count(&self, operation: &str) -> usize {
        self.asked().iter().filter(|asked| asked.operation == operation).count()
    }
}

fn serve(stream: TcpStream, script: &Script, seen: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(asked) = read(&mut reader) {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(asked.clone());
            seen.len() - 1
        };
        // A client that went away is no fault of the script.
        let answered = match script(number, &asked) {
            Answer::Json(body) => write(&mut stream, 200, &body.to_string(), 0),
            Answer::Fault(status, code) => {
                write(&mut stream, status, &json!({"__type": code, "Message": format!("{code} it is")}).to_string(), 0)
            }
            Answer::Text(status, text) => write(&mut stream, status, &text, 0),
            Answer::Half(body) => {
                let text = body.to_string();
                let _ = write(&mut stream, 200, &text[..text.len() / 2], text.len() - text.len() / 2);
                return;
            }
            Answer::Silence(length) => {
                std::thread::sleep(length);
                return;
            }
        };
        if answered.is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut operation = line.rsplit_once(' ')?.0.to_owned();
    let (mut length, mut authorization) = (0, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => authorization = Some(value.to_owned()),
            "x-amz-target" => operation = value.rsplit_once('.')?.1.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { operation, body: serde_json::from_slice(&body).unwrap_or_default(), authorization })
}

fn write(stream: &mut TcpStream, status: u16, body: &str, missing: usize) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len() + missing
    )
}
