//! The fence: it returns each entry once, and only after running programs have ended.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    thread,
};

use aya::maps::{Array, Map, MapData};
use dhcp_datapath::{
    Datapath,
    fence::{Barrier, Fence, FenceFull},
};
use dhcp_engine::effect::FenceId;

use crate::{lab, options, runtime};

#[test]
fn the_fence_gives_back_every_entry_once_and_is_bounded() {
    lab::run(|lab| {
        let barrier = Datapath::open(&options(lab)).unwrap().barrier;
        let (fence, mut fenced) = Fence::start(barrier, 300).unwrap();
        let runtime = runtime();
        let ids = |range: std::ops::Range<u64>| range.map(FenceId).collect::<Vec<_>>();
        assert_eq!(fence.submit(&ids(0..301)), Err(FenceFull(0)));
        for start in (0..300).step_by(3) {
            fence.submit(&ids(start..start + 3)).unwrap();
        }
        assert_eq!(fence.submit(&ids(300..301)), Err(FenceFull(300)));
        let mut passed = Vec::new();
        let mut batches = 0;
        while passed.len() < 300 {
            passed.extend(runtime.block_on(fenced.recv()).unwrap());
            batches += 1;
        }
        assert_eq!(passed, ids(0..300));
        assert!(batches <= 100, "{batches} waits for 100 batches");
        fence.submit(&ids(300..301)).unwrap();
        drop(fence);
        assert_eq!(runtime.block_on(fenced.recv()), Some(ids(300..301)));
        assert_eq!(runtime.block_on(fenced.recv()), None);
    });
}

/// Instructions of `bpf_insn`: code, registers (source in the high half), offset, immediate.
type Instruction = (u8, u8, i16, i32);

/// Returns a program that marks its begin in a map's value, waits, and marks its end.
fn busy_program(map_fd: i32) -> [Instruction; 8] {
    [
        // r6 = the map's value (BPF_PSEUDO_MAP_VALUE), in two halves.
        (0x18, 0x26, 0, map_fd),
        (0, 0, 0, 0),
        // [r6] = 1
        (0x7a, 0x06, 0, 1),
        // Loops until may_goto ends it, after a quarter of a second or 2^23 rounds.
        (0xe5, 0, 1, 0),
        (0x05, 0, -2, 0),
        // [r6 + 8] = 1
        (0x7a, 0x06, 8, 1),
        // r0 = XDP_PASS; exit.
        (0xb7, 0, 0, 2),
        (0x95, 0, 0, 0),
    ]
}

#[repr(C)]
struct ProgramLoad {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
}

#[repr(C)]
struct TestRun {
    program_fd: u32,
    result: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

/// # Safety
/// `attr` must be what the kernel expects for the command, with valid addresses.
unsafe fn bpf<Attr>(command: i32, attr: &mut Attr) -> io::Result<i32> {
    // SAFETY: the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attr),
            size_of::<Attr>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(i32::try_from(result).unwrap())
}

fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    let octets: Vec<u8> = program
        .iter()
        .flat_map(|(code, registers, offset, immediate)| {
            let [low, high] = offset.to_ne_bytes();
            let [a, b, c, d] = immediate.to_ne_bytes();
            [*code, *registers, low, high, a, b, c, d]
        })
        .collect();
    let mut attr = ProgramLoad {
        program_type: 6,
        instruction_count: program.len() as u32,
        instructions: octets.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
    };
    // SAFETY: BPF_PROG_LOAD reads instructions and license, and returns a descriptor without
    // another owner.
    unsafe { Ok(OwnedFd::from_raw_fd(bpf(5, &mut attr)?)) }
}

fn run(program: &OwnedFd) {
    let frame = [0u8; 64];
    let mut attr = TestRun {
        program_fd: program.as_raw_fd() as u32,
        result: 0,
        data_size_in: frame.len() as u32,
        data_size_out: 0,
        data_in: frame.as_ptr() as u64,
        data_out: 0,
        repeat: 1,
        duration: 0,
    };
    // SAFETY: BPF_PROG_TEST_RUN reads the frame, and writes numbers into `attr`.
    unsafe { bpf(10, &mut attr) }.unwrap();
}

/// Invariant: an address is free only when no program run can still hold its entry.
#[test]
fn the_fence_outlasts_a_program_that_is_running() {
    lab::run(|lab| {
        let barrier = Barrier::new().unwrap();
        let pin = lab.pin_dir().with_file_name("marks");
        let marks: Array<_, [u64; 2]> = Array::create(1, 0).unwrap();
        marks.pin(&pin).unwrap();
        let map = MapData::from_pin(&pin).unwrap();
        let map_fd = map.fd().as_fd().as_raw_fd();
        let program = load(&busy_program(map_fd));
        let mut marks: Array<_, [u64; 2]> = Map::Array(map).try_into().unwrap();
        let program = match program {
            Ok(program) => program,
            Err(error) => {
                println!("skipped: needs may_goto of Linux 6.9 ({error})");
                return;
            }
        };
        // Another process may get the CPU between seeing the program run and waiting for it.
        for _ in 0..20 {
            marks.set(0, [0, 0], 0).unwrap();
            let seen_running = thread::scope(|scope| {
                scope.spawn(|| run(&program));
                while marks.get(&0, 0).unwrap()[0] == 0 {
                    thread::yield_now();
                }
                let running = marks.get(&0, 0).unwrap()[1] == 0;
                barrier.wait().unwrap();
                assert_eq!(marks.get(&0, 0).unwrap(), [1, 1], "it has ended");
                running
            });
            if seen_running {
                return;
            }
        }
        panic!("the program was never seen running");
    });
}
