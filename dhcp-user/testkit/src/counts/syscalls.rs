//! Counts system calls, in a process that is stopped at each one.

use nix::{
    sys::{
        ptrace,
        signal::{Signal, raise},
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, fork},
};

/// Returns how many system calls `work` makes. It runs in a copy of this process, so only its
/// effects on shared memory and on the kernel remain.
pub fn syscalls(work: impl FnOnce()) -> u64 {
    // SAFETY: the copy has this thread alone, and does not return from here. glibc makes its
    // allocator usable in it.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                ptrace::traceme().unwrap();
                raise(Signal::SIGSTOP).unwrap();
                work();
                raise(Signal::SIGSTOP).unwrap();
            }));
            // // SAFETY: ends the copy, without the exit handlers of the original.
            unsafe { libc::_exit(i32::from(result.is_err())) }
        }
        ForkResult::Parent { child } => {
            let stopped = WaitStatus::Stopped(child, Signal::SIGSTOP);
            assert_eq!(waitpid(child, None), Ok(stopped));
            ptrace::setoptions(child, ptrace::Options::PTRACE_O_TRACESYSGOOD).unwrap();
            // A stop at the entry of a call, and one at its exit.
            let mut stops = 0;
            let end = loop {
                ptrace::syscall(child, None).unwrap();
                match waitpid(child, None).unwrap() {
                    WaitStatus::PtraceSyscall(_) => stops += 1,
                    status => break status,
                }
            };
            if end == stopped {
                ptrace::cont(child, None).unwrap();
                assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
            }
            assert_eq!(end, stopped, "the work failed");
            stops / 2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_counts_once() {
        let calls = |calls: u32| {
            syscalls(|| {
                for _ in 0..calls {
                    nix::unistd::getppid();
                }
            })
        };
        // The call that stops it at the end is counted too.
        assert_eq!(calls(100) - calls(0), 100);
    }
}
