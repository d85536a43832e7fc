//! Names by which a pickle would run something. Nothing here calls them either; but no checkpoint needs one, so that a
//! file with such a name is not what it says, and would harm whoever opens it elsewhere.
//!
//! Left out: functions of packages that nobody knows, which are passed over.

/// Modules that reach the system, the interpreter or other pickles, with all below them.
const MODULES: [&str; 36] = [
    "_ctypes",
    "_pickle",
    "_posixsubprocess",
    "_winapi",
    "asyncio",
    "bdb",
    "cPickle",
    "cffi",
    "cloudpickle",
    "codeop",
    "commands",
    "ctypes",
    "dill",
    "imp",
    "importlib",
    "marshal",
    "multiprocessing",
    "nt",
    "os",
    "pdb",
    "pickle",
    "pip",
    "pkgutil",
    "popen2",
    "posix",
    "pty",
    "runpy",
    "shelve",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "timeit",
    "webbrowser",
    "winreg",
    "zipimport",
];

/// Functions that read a pickle, or run a text or a program, in whatever module.
const FUNCTIONS: [&str; 16] = [
    "__import__",
    "_load_from_bytes",
    "eval",
    "exec",
    "exec_command",
    "execfile",
    "getoutput",
    "load",
    "load_library",
    "loads",
    "popen",
    "read_pickle",
    "run_module",
    "run_path",
    "runstring",
    "system",
];

/// Whether a call of this name would run something, or come to a name that does.
pub(crate) fn runs(module: &str, name: &str) -> bool {
    let root = module.split('.').next().unwrap_or(module);
    let is_dotted = name.contains('.');
    // `sys.modules.get` is reached through any module that has imported `sys`, everything through `f.__globals__`.
    let leads_on =
        |part: &str| MODULES.contains(&part) || FUNCTIONS.contains(&part) || is_dotted && part.starts_with("__");
    MODULES.contains(&root)
        || name.split('.').any(leads_on)
        || matches!(
            (module, name),
            (
                "builtins" | "__builtin__",
                "apply" | "breakpoint" | "compile" | "delattr" | "exit" | "file" | "getattr" | "globals" | "input"
                    | "locals" | "open" | "quit" | "raw_input" | "reload" | "setattr" | "vars"
            ) | ("io" | "_io", "FileIO" | "open" | "open_code")
                | ("types", "CodeType" | "FunctionType" | "LambdaType")
                // Folders of code are often called so; only the module itself is Python's.
                | ("code" | "torch.hub" | "torch.package" | "torch.utils.cpp_extension" | "torch.utils.model_zoo", _)
                | ("urllib.request", _)
                | ("numpy", "fromfile")
                | ("torch", "hub")
        )
}
