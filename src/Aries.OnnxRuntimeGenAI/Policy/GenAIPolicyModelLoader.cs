namespace Aries.OnnxRuntimeGenAI;

/// <summary>Loads checkpoints into <see cref="GenAIPolicyModel"/>s, and keeps the model when only the adapter changes: a round's adapter is put onto the weights that are loaded.</summary>
/// <remarks>
/// So a run can generate on ONNX Runtime GenAI what another engine trains. Checkpoints of an adapter all name one base model; written once as a folder of ONNX Runtime GenAI with inputs for adapters
/// (<c>GenAIModelWriter</c> of Aries.OnnxRuntime), it serves every round.
/// </remarks>
/// <threadsafety>Every member may be called concurrently. Dispose it when no load runs; the policies that it made stay usable.</threadsafety>
public sealed class GenAIPolicyModelLoader : IPolicyModelLoader, IDisposable
{
    private readonly SemaphoreSlim _loading = new(1, 1);
    private readonly GenAIPolicyOptions _options;
    private readonly Func<PolicyCheckpoint, CancellationToken, Task<string>>? _findFolder;
    private readonly Func<GenAIPolicyOptions, OgaApi> _library;
    private (SharedModel Model, string Stamp)? _kept;

    /// <summary>Creates a loader.</summary>
    /// <param name="options">How models are loaded and run; null for the defaults. Copied.</param>
    /// <param name="findFolder">
    /// Returns the folder of ONNX Runtime GenAI of a checkpoint whose model is none, and writes it where that is needed; null where every checkpoint's model is such a folder.
    /// </param>
    /// <exception cref="ArgumentException">An option is outside its range, or <see cref="GenAIPolicyOptions.AdapterPath"/> is set: a checkpoint brings its own.</exception>
    public GenAIPolicyModelLoader(GenAIPolicyOptions? options = null, Func<PolicyCheckpoint, CancellationToken, Task<string>>? findFolder = null)
        : this(NativeLibraries.Load, options, findFolder)
    {
    }

    /// <summary>Creates a loader on a library that is not the process's own.</summary>
    internal GenAIPolicyModelLoader(
        Func<GenAIPolicyOptions, OgaApi> library, GenAIPolicyOptions? options, Func<PolicyCheckpoint, CancellationToken, Task<string>>? findFolder)
    {
        options?.Validate();
        if (options?.AdapterPath is { } adapter)
        {
            throw new ArgumentException($"AdapterPath is {adapter}, but each checkpoint names its own adapter. Leave the option null.", nameof(options));
        }

        (_library, _options, _findFolder) = (library, options?.Copy() ?? new GenAIPolicyOptions(), findFolder);
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentNullException"><paramref name="checkpoint"/> is null.</exception>
    public async Task<IPolicyModel> LoadAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        await _loading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            string folder = _findFolder is null || File.Exists(Path.Combine(checkpoint.ModelPath, GenAIConfig.FileName))
                ? checkpoint.ModelPath
                : await _findFolder(checkpoint, cancellationToken).ConfigureAwait(false);
            return await Task.Run(() => Load(folder, checkpoint.AdapterPath), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _loading.Release();
        }
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentNullException"><paramref name="checkpoint"/> is null.</exception>
    public Task<string> GetFingerprintAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return CheckpointFingerprint.ComputeAsync(checkpoint, _options.ChatTemplate, cancellationToken);
    }

    /// <summary>Lets the kept model go, as soon as no policy uses it.</summary>
    public void Dispose()
    {
        _kept?.Model.Release();
        _kept = null;
        _loading.Dispose();
    }

    /// <summary>Returns the name and what of the options changes a response and is not covered by <see cref="GetFingerprintAsync"/>: the context's length, and where the model computes.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"{typeof(GenAIPolicyModelLoader).FullName} {{ ContextLength = {_options.ContextLength}, Providers = {(_options.Providers is { } providers ? $"[{string.Join(", ", providers)}]" : "null")} }}");

    private GenAIPolicyModel Load(string path, string? adapterPath)
    {
        GenAIFolder folder = GenAIFolder.Read(path);
        string stamp = Stamp(path);
        if (_kept is not { } kept || kept.Stamp != stamp)
        {
            // The old model's memory is needed for the new one.
            _kept?.Model.Release();
            _kept = null;
            kept = (SharedModel.Load(_library(_options), folder, _options), stamp);
            _kept = kept;
        }

        kept.Model.AddUser();
        try
        {
            GenAIPolicyOptions options = _options.Copy();
            options.AdapterPath = adapterPath;
            return new GenAIPolicyModel(GenAIEngine.Create(kept.Model, options));
        }
        catch
        {
            kept.Model.Release();
            throw;
        }
    }

    // Where a folder was written anew, some file's time or length tells.
    private static string Stamp(string folder) => string.Join(
        '\n', new DirectoryInfo(folder).GetFiles().OrderBy(file => file.Name, StringComparer.Ordinal).Select(file => $"{file.FullName} {file.Length} {file.LastWriteTimeUtc.Ticks}"));
}
