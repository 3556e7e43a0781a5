//! A running daemon: in this process (`Bridge`), or the built binary (`Spawned`) for what only a
//! process can show: signals, kills, exit codes.

use super::{Http, Modality};
use bluebridge::app::{self, Running};
use bluebridge::config::Config;
use bluebridge::config::units::{Bytes, Floor};
use bluebridge::domain::clock::Clock;
use bluebridge::index::{Index, IndexSettings};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The settings of a test: free ports, a folder of its own, no ballast, floors off.
pub fn config(data_dir: &Path) -> Config {
    let mut config = Config { data_dir: data_dir.to_path_buf(), ..Config::default() };
    config.dicom.listen.set_port(0);
    config.web.listen.set_port(0);
    config.patient.listen.set_port(0);
    let none = Floor::Bytes(Bytes::new(0));
    (config.storage.soft_stop, config.storage.hard_stop, config.storage.ballast) = (none, none, none);
    config
}

/// The real application inside the test's process.
pub struct Bridge {
    pub running: Running,
    folder: TempDir,
}

impl Bridge {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = TempDir::new().unwrap();
        let mut config = config(&folder.path().join("data"));
        change(&mut config);
        Self { running: app::start(config).await.unwrap(), folder }
    }
    pub fn modality(&self, calling: &str) -> Modality {
        Modality::new(self.running.dicom, calling)
    }
    pub fn web(&self) -> Http {
        Http::new(format!("http://{}", self.running.web))
    }
    pub fn patient(&self) -> Http {
        Http::new(format!("http://{}", self.running.patient))
    }
    pub fn data_dir(&self) -> &Path {
        &self.running.config().data_dir
    }
    /// Stops in order and starts again on the same folder.
    pub async fn restart(self) -> Self {
        let mut config = self.running.config().clone();
        self.running.stop().await.unwrap();
        for address in [&mut config.dicom.listen, &mut config.web.listen, &mut config.patient.listen] {
            address.set_port(0);
        }
        Self { running: app::start(config).await.unwrap(), folder: self.folder }
    }
    /// A request over the control socket, as the command line makes it.
    pub async fn control(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::UnixStream::connect(self.data_dir().join("control.sock")).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
    /// Stops, and returns the audit trail as it was written.
    pub async fn stop_and_read_trail(self) -> Vec<String> {
        let data_dir = self.data_dir().to_path_buf();
        self.running.stop().await.unwrap();
        let index = Index::open(&data_dir, IndexSettings::default(), Clock::system()).await.unwrap();
        let rows = index.trail(None, 1000).await.unwrap();
        index.close().await.unwrap();
        rows.into_iter().map(|row| row.event).collect()
    }
    pub async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

/// The built binary, started as an operator would.
pub struct Spawned {
    child: Child,
    pub dicom: SocketAddr,
    pub web: SocketAddr,
    pub patient: SocketAddr,
    /// Lines that it wrote so far.
    log: std::sync::Arc<std::sync::Mutex<String>>,
    folder: TempDir,
    config: PathBuf,
}

impl Spawned {
    pub fn start() -> Self {
        Self::start_with("")
    }
    /// `extra` is appended to the configuration file.
    pub fn start_with(extra: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("bluebridge.toml");
        let data = folder.path().join("data");
        let text = format!(
            "data_dir = {data:?}\n[dicom]\nlisten = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n[patient]\n\
             listen = \"127.0.0.1:0\"\n[storage]\nsoft_stop = \"0B\"\nhard_stop = \"0B\"\nballast = \"0B\"\n[log]\n\
             format = \"text\"\n{extra}"
        );
        std::fs::write(&config, text).unwrap();
        Self::launch(folder, config)
    }

    fn launch(folder: TempDir, config: PathBuf) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bluebridge"))
            .args(["serve", "--config"])
            .arg(&config)
            .env("NO_COLOR", "1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut ready = None;
        for line in lines.by_ref() {
            let line = line.unwrap();
            log.lock().unwrap().push_str(&format!("{line}\n"));
            if line.contains("ready: DICOM on ") {
                ready = Some(line);
                break;
            }
        }
        let ready = ready.unwrap_or_else(|| panic!("did not start:\n{}", log.lock().unwrap()));
        let after = |word: &str| -> SocketAddr {
            let rest = &ready[ready.find(word).unwrap() + word.len()..];
            rest.split([',', ' ']).next().unwrap().trim().parse().unwrap()
        };
        let (dicom, web, patient) = (after("DICOM on "), after("web on "), after("patients on "));
        let rest = log.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                rest.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self { child, dicom, web, patient, log, folder, config }
    }

    pub fn modality(&self, calling: &str) -> Modality {
        Modality::new(self.dicom, calling)
    }
    pub fn web(&self) -> Http {
        Http::new(format!("http://{}", self.web))
    }
    pub fn patient(&self) -> Http {
        Http::new(format!("http://{}", self.patient))
    }
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
    /// Runs another command of the binary with the same configuration.
    pub fn cli(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(env!("CARGO_BIN_EXE_bluebridge"))
            .args(arguments)
            .arg("--config")
            .arg(&self.config)
            .output()
            .unwrap()
    }
    /// SIGKILL, as a power cut would; then a new start on the same folder.
    pub fn kill_and_restart(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, TempDir::new().unwrap());
        Self::launch(folder, self.config.clone())
    }
    /// SIGHUP.
    pub fn hang_up(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    }
    /// SIGTERM; the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
