//! What runs behind `bluebridge decode-worker`: walls up, then one frame after the other until the
//! parent closes the socket.

use super::sandbox;
use super::wire::{self, Hello, REQUEST_HEAD, Request};
use crate::imaging::codec::{self, DecodeError};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::FromRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Serves the socket that is this process's standard input. `memory` is the most address space it may
/// take.
pub fn run(memory: u64) -> ExitCode {
    // A panic's message may hold values of the frame.
    std::panic::set_hook(Box::new(|_| {}));
    let ended = walled(memory).and_then(|hello| serve(socket(), hello));
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn socket() -> File {
    // SAFETY: descriptor 0 is the socket that the parent gave, and nobody else in this process reads it.
    unsafe { File::from_raw_fd(0) }
}

fn walled(memory: u64) -> io::Result<Hello> {
    sandbox::prepare().map_err(io::Error::other)?;
    // Landlock takes a descriptor, which the limits no longer give.
    let landlock = sandbox::landlock();
    sandbox::limit(memory).map_err(io::Error::other)?;
    sandbox::filter().map_err(io::Error::other)?;
    Ok(Hello { holes: sandbox::probe(), landlock })
}

fn serve(mut socket: File, hello: Hello) -> io::Result<()> {
    socket.write_all(&hello.to_bytes())?;
    let mut frame = Vec::new();
    loop {
        let mut head = [0; REQUEST_HEAD];
        match socket.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let (request, length) = Request::read(&head).ok_or(io::ErrorKind::InvalidData)?;
        sandbox::renew_cpu(request.cpu).map_err(io::Error::other)?;
        frame.clear();
        (&mut socket).take(length).read_to_end(&mut frame)?;
        if frame.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let run = AssertUnwindSafe(|| codec::run(request.task, &request.declared, &frame));
        let answer = catch_unwind(run).unwrap_or(Err(DecodeError::Corrupt));
        wire::write_answer(&mut socket, &answer)?;
    }
}
