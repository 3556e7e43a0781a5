//! The walls around the decode worker. What a frame makes of its decoder may compute, use the memory it
//! was given, and answer on the socket it has; it may not open, connect, start, signal or see anything.
//!
//! seccomp is required. Landlock is a second wall where the kernel has it.

use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{DumpableBehavior, Resource, Rlimit, Signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub(super) enum SandboxError {
    #[error("a limit could not be set")]
    Limit(#[from] rustix::io::Errno),
    #[error("the system call filter could not be set")]
    Filter(#[from] seccompiler::Error),
    #[error("the system call filter could not be made")]
    Backend(#[from] seccompiler::BackendError),
}

/// Before anything is read: an end with the parent, no privileges to gain, nothing left open, no core.
pub(super) fn prepare() -> Result<(), SandboxError> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The kernel shall end a decoder before it ends the daemon; without /proc it cannot be told.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    // What the parent left open by mistake is closed; an old kernel knows no such call.
    // SAFETY: nothing in this process uses a descriptor above 2.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
    rustix::thread::set_no_new_privs(true)?;
    Ok(rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// No more files, no bytes to write into one, `memory` bytes of address space.
pub(super) fn limit(memory: u64) -> Result<(), SandboxError> {
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Nofile, 3),
        (Resource::Fsize, 0),
        (Resource::Memlock, 0),
        (Resource::As, memory),
    ] {
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Closes file system and network by Landlock; false where the kernel has none of it.
pub(super) fn landlock() -> bool {
    let abi = ABI::V6;
    let closed = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(abi)))
        .and_then(|rules| rules.scope(Scope::from_all(abi)))
        .and_then(Ruleset::create)
        .and_then(landlock::RulesetCreated::restrict_self);
    closed.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// From here on only [`CALLS`] reach the kernel; every other one is answered EPERM.
pub(super) fn filter() -> Result<(), SandboxError> {
    let mut rules: std::collections::BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let condition = |argument, operator, value| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
        SeccompRule::new(vec![condition])
    };
    // Memory is never made executable.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(call, vec![condition(2, SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64), 0)?]);
    }
    // The limit of processor time is renewed for each frame; a killed frame is counted by the parent's clock.
    rules.insert(libc::SYS_prlimit64, vec![condition(1, SeccompCmpOp::Eq, libc::RLIMIT_CPU as u64)?]);
    let arch = std::env::consts::ARCH.try_into()?;
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    let program: BpfProgram = SeccompFilter::new(rules, denied, SeccompAction::Allow, arch)?.try_into()?;
    Ok(seccompiler::apply_filter(&program)?)
}

/// Calls that computing, memory, the one socket and an orderly or disorderly end need.
const CALLS: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_close,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_getrusage,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Gives the next frame `cpu` of processor time; the kernel ends the process beyond.
pub(super) fn renew_cpu(cpu: Duration) -> Result<(), SandboxError> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).tv_sec.unsigned_abs();
    let current = used.saturating_add(cpu.as_secs()).saturating_add(1);
    let maximum = rustix::process::getrlimit(Resource::Cpu).maximum;
    let current = maximum.map_or(current, |maximum| maximum.min(current));
    Ok(rustix::process::setrlimit(Resource::Cpu, Rlimit { current: Some(current), maximum })?)
}

/// Tries what must not be possible; each bit is a wall that does not stand.
pub(super) fn probe() -> u8 {
    use rustix::{fs, net, process};
    let read = fs::openat(fs::CWD, "/etc/passwd", fs::OFlags::RDONLY, fs::Mode::empty()).is_ok();
    let flags = fs::OFlags::WRONLY | fs::OFlags::TMPFILE;
    let write = fs::openat(fs::CWD, "/tmp", flags, fs::Mode::RWXU).is_ok();
    let see = fs::stat("/").is_ok();
    let internet = net::socket(net::AddressFamily::INET, net::SocketType::STREAM, None).is_ok();
    let unix = net::socket(net::AddressFamily::UNIX, net::SocketType::STREAM, None).is_ok();
    // To ourselves, signal 0: harmless where it is allowed.
    let signal = process::test_kill_process(process::getpid()).is_ok();
    let prctl = process::parent_process_death_signal().is_ok();
    // SAFETY: a path that is no file: where the call is allowed it fails with ENOENT instead of EPERM.
    let exec = unsafe {
        libc::execve(c"/nowhere".as_ptr(), std::ptr::null(), std::ptr::null()) == -1
            && std::io::Error::last_os_error().raw_os_error() != Some(libc::EPERM)
    };
    [read, write, see, internet, unix, signal, prctl, exec]
        .into_iter()
        .enumerate()
        .fold(0, |holes, (at, open)| holes | u8::from(open) << at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probe is worth something only if it finds what is open.
    #[test]
    fn without_walls_the_probe_finds_every_hole() {
        assert_eq!(probe(), 0xFF);
    }
}
