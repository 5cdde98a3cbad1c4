using System.Globalization;
using System.Runtime.InteropServices;

namespace Aries.OnnxRuntimeGenAI.Tests;

/// <summary>The ledger of a fake native library: what it handed out, who is inside, and what it was told that the real one does not survive.</summary>
/// <remarks>There is one at a time, for functions of C have no place for another: tests that use it are in one collection.</remarks>
internal sealed class FakeLibrary : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<nint, FakeObject> _alive = [];
    private readonly HashSet<nint> _dead = [];
    private readonly List<nint> _handles = [];
    private readonly Dictionary<nint, string> _texts = [];
    private readonly List<string> _violations = [];
    private readonly Dictionary<string, FakeNetwork> _networks = new(StringComparer.Ordinal);
    private readonly FakeTurn _device = new();

    [ThreadStatic]
    private static List<FakeTurn>? _entered;

    public FakeLibrary()
    {
        if (Interlocked.CompareExchange(ref _current, this, null) is not null)
        {
            throw new InvalidOperationException("Another test uses the fake library: put both into one collection.");
        }

        Api = new OgaApi(FakeFunctions.Find);
    }

    private static FakeLibrary? _current;

    public static FakeLibrary Current => _current ?? throw new InvalidOperationException("The library was used after its test.");

    public OgaApi Api { get; }

    /// <summary>Gets or sets whether there is a GPU.</summary>
    public bool HasDevice { get; set; }

    /// <summary>Gets or sets the device that a GPU's models name.</summary>
    public string Device { get; set; } = "CUDA";

    /// <summary>Gets or sets whether graphs compute logits for the last token of a pass alone.</summary>
    public bool PrunesHead { get; set; }

    /// <summary>Gets or sets whether graphs give logits in float16.</summary>
    public bool IsHalf { get; set; }

    /// <summary>Gets or sets whether tokens can be taken back.</summary>
    public bool CanRewind { get; set; } = true;

    /// <summary>Gets or sets whether the native tokenizer reads a folder's pattern.</summary>
    public bool ReadsTokenizer { get; set; } = true;

    /// <summary>Gets or sets how many tokens of keys and values a generator may have; null for any number.</summary>
    public long? MemoryTokens { get; set; }

    /// <summary>Gets or sets what happens at each pass, on the thread that is in it.</summary>
    public Action? OnPass { get; set; }

    public IReadOnlyList<string> Violations => _violations;

    public int PassCount { get; private set; }

    public int TokenCount { get; private set; }

    /// <summary>Gets the configurations that models were made of.</summary>
    public List<FakeConfig> Configs { get; } = [];

    public static bool ContinuesOn(string device) => device != "DirectML";

    /// <summary>Says which weights a model folder stands for.</summary>
    public void Serve(string folder, string source) => _networks[folder] = new FakeNetwork(source);

    public FakeNetwork NetworkOf(string folder) => _networks.TryGetValue(folder, out FakeNetwork? network) ? network.Another() : throw new FakeNativeException($"Load model from {folder} failed");

    public void CountPass(int tokens)
    {
        PassCount++;
        TokenCount += tokens;
    }

    public void ResetCounts() => (PassCount, TokenCount) = (0, 0);

    public void Violate(string problem)
    {
        lock (_lock)
        {
            _violations.Add(problem);
        }
    }

    public FakeTurn TurnOf(string device) => device == "CPU" ? new FakeTurn() : _device;

    public unsafe nint Add(FakeObject added, params ReadOnlySpan<FakeObject> owners)
    {
        lock (_lock)
        {
            nint handle = (nint)NativeMemory.Alloc(1);
            _handles.Add(handle);
            _alive.Add(handle, added);
            foreach (FakeObject owner in owners)
            {
                owner.DependentCount++;
                added.Owners.Add(owner);
            }

            return handle;
        }
    }

    /// <summary>Finds an object whose function this thread is in.</summary>
    public T Get<T>(nint handle)
        where T : FakeObject
    {
        T found = Peek<T>(handle);
        Enter(found.Turn);
        return found;
    }

    /// <summary>Finds an object that another thread may use at the same time.</summary>
    public T Peek<T>(nint handle)
        where T : FakeObject
    {
        lock (_lock)
        {
            return _alive.TryGetValue(handle, out FakeObject? found) ? (T)found
                : throw new InvalidOperationException(_dead.Contains(handle) ? $"A {typeof(T).Name} was used after it was destroyed." : $"{handle} is no {typeof(T).Name}.");
        }
    }

    public void Destroy<T>(nint handle)
        where T : FakeObject
    {
        T destroyed = Get<T>(handle);
        lock (_lock)
        {
            if (destroyed.DependentCount > 0)
            {
                _violations.Add($"A {typeof(T).Name} was destroyed before {destroyed.DependentCount} objects that need it.");
            }

            destroyed.Owners.ForEach(owner => owner.DependentCount--);
            _alive.Remove(handle);
            _dead.Add(handle);
            destroyed.Free();
        }
    }

    public unsafe nint AddText(string text)
    {
        lock (_lock)
        {
            nint memory = Marshal.StringToCoTaskMemUTF8(text);
            _texts.Add(memory, text);
            return memory;
        }
    }

    public void DestroyText(nint text)
    {
        lock (_lock)
        {
            if (!_texts.Remove(text))
            {
                _violations.Add("A text was destroyed twice, or is owned by another object.");
                return;
            }

            Marshal.FreeCoTaskMem(text);
        }
    }

    /// <summary>Notes that this thread is in the functions of a model, until <see cref="Leave"/>.</summary>
    public void Enter(FakeTurn? turn)
    {
        if (turn is null)
        {
            return;
        }

        int thread = Environment.CurrentManagedThreadId;
        int other = Interlocked.CompareExchange(ref turn.ThreadId, thread, 0);
        if (other == 0)
        {
            (_entered ??= []).Add(turn);
        }
        else if (other != thread)
        {
            Violate($"Threads {other.ToString(CultureInfo.InvariantCulture)} and {thread.ToString(CultureInfo.InvariantCulture)} were in one model's functions at once.");
        }
    }

    public static void Leave()
    {
        foreach (FakeTurn turn in _entered ?? [])
        {
            Volatile.Write(ref turn.ThreadId, 0);
        }

        _entered?.Clear();
    }

    /// <summary>Asserts that everything was given back and nothing was done that the real library forbids.</summary>
    public void AssertClean()
    {
        lock (_lock)
        {
            Assert.Empty(_violations);
            Assert.Empty(_alive.Values.GroupBy(left => left.GetType().Name).Select(group => $"{group.Count()} × {group.Key}"));
            Assert.Empty(_texts.Values);
        }
    }

    public int AliveCount
    {
        get
        {
            lock (_lock)
            {
                return _alive.Count;
            }
        }
    }

    public unsafe void Dispose()
    {
        // Other tests must not suffer from this one's leaks.
        foreach (FakeObject left in _alive.Values)
        {
            left.Free();
        }

        _handles.ForEach(handle => NativeMemory.Free((void*)handle));
        _current = null;
    }
}
