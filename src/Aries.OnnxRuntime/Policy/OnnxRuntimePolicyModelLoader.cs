namespace Aries.OnnxRuntime;

/// <summary>Loads checkpoints into <see cref="OnnxRuntimePolicyModel"/>s: GenAI folders as they are, Hugging Face folders after <see cref="GenAIModelWriter"/> has written them.</summary>
/// <remarks>
/// So a run can generate on ONNX Runtime what another engine trains. A base model is written once, into a folder that is named by the content of the checkpoint; of a checkpoint with an adapter,
/// the base takes adapters for the projections that the adapter changes, and the next round's adapter is loaded beside the same folder.
/// </remarks>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public sealed class OnnxRuntimePolicyModelLoader : IPolicyModelLoader
{
    private readonly Lock _writing = new();
    private readonly string _exportFolder;
    private readonly GenAIModelOptions _modelOptions;
    private readonly OnnxRuntimePolicyOptions _options;

    /// <summary>Creates a loader.</summary>
    /// <param name="exportFolder">Where Hugging Face checkpoints are written as GenAI folders; made when it is needed. What lies there may be deleted when no model is loaded.</param>
    /// <param name="modelOptions">How they are written; null for the defaults. Copied. Adapter targets are added as checkpoints need them.</param>
    /// <param name="options">How models are loaded and run; null for the defaults, but with nothing kept over calls, so that a resumed run equals an unbroken one. Copied.</param>
    /// <exception cref="ArgumentException">A path is null or empty, an option is outside its range, or <see cref="OnnxRuntimePolicyOptions.AdapterPath"/> is set: a checkpoint brings its own.</exception>
    public OnnxRuntimePolicyModelLoader(string exportFolder, GenAIModelOptions? modelOptions = null, OnnxRuntimePolicyOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(exportFolder);
        modelOptions?.Validate();
        options?.Validate();
        if (options?.AdapterPath is { } adapter)
        {
            throw new ArgumentException($"AdapterPath is {adapter}, but each checkpoint names its own adapter. Leave the option null.", nameof(options));
        }

        _exportFolder = exportFolder;
        _modelOptions = modelOptions is null ? new GenAIModelOptions() : modelOptions with { };
        _options = options is null ? new OnnxRuntimePolicyOptions { KeepsPrompts = false } : options with { };
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentNullException"><paramref name="checkpoint"/> is null.</exception>
    public async Task<IPolicyModel> LoadAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        string folder = IsWritten(checkpoint.ModelPath)
            ? checkpoint.ModelPath
            : await Task.Run(() => Write(checkpoint, cancellationToken), cancellationToken).ConfigureAwait(false);
        return await OnnxRuntimePolicyModel.LoadAsync(folder, _options with { AdapterPath = checkpoint.AdapterPath }, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentNullException"><paramref name="checkpoint"/> is null.</exception>
    public Task<string> GetFingerprintAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return CheckpointFingerprint.ComputeAsync(checkpoint, _options.ChatTemplate, cancellationToken);
    }

    /// <summary>Returns the name and what of the options changes a response and is not covered by <see cref="GetFingerprintAsync"/>: the form of the weights, the context's length, and whether prompts are kept.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"{typeof(OnnxRuntimePolicyModelLoader).FullName} {{ FloatType = {_modelOptions.FloatType}, UsesFourBitWeights = {_modelOptions.UsesFourBitWeights}, BlockSize = {_modelOptions.BlockSize}, ContextLength = {_options.ContextLength}, KeepsPrompts = {_options.KeepsPrompts} }}");

    private static bool IsWritten(string folder) => File.Exists(Path.Combine(folder, GenAIConfig.FileName));

    private string Write(PolicyCheckpoint checkpoint, CancellationToken cancellationToken)
    {
        GenAIModelOptions options = _modelOptions with { AdapterTargets = _modelOptions.AdapterTargets | Targets(checkpoint.AdapterPath) };
        string content = CheckpointFingerprint.Compute(checkpoint.ModelPath, adapterPath: null, cancellationToken);
        string form = FormattableString.Invariant($"{options.FloatType}-{(options.UsesFourBitWeights ? options.BlockSize : 0)}-{(int)options.AdapterTargets}").ToLowerInvariant();
        string folder = Path.Combine(_exportFolder, $"{content[..32]}-{form}");
        lock (_writing)
        {
            // Of two loads of one checkpoint, the second finds the folder of the first.
            if (!IsWritten(folder))
            {
                GenAIModelWriter.Write(checkpoint.ModelPath, folder, options, cancellationToken);
            }
        }

        return folder;
    }

    private static LoraProjections Targets(string? adapterPath)
    {
        if (adapterPath is null)
        {
            return LoraProjections.None;
        }

        using PeftAdapterFile file = PeftAdapterFile.Open(adapterPath);
        return file.Options.Targets;
    }
}
