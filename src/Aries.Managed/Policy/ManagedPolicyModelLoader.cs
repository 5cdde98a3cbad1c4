using System.Globalization;

namespace Aries.Managed;

/// <summary>Loads checkpoints into <see cref="ManagedPolicyModel"/>s.</summary>
/// <threadsafety>Every member may be called concurrently.</threadsafety>
public sealed class ManagedPolicyModelLoader : IPolicyModelLoader
{
    private readonly ManagedPolicyOptions _options;

    /// <summary>Creates a loader.</summary>
    /// <param name="options">How models are loaded and run; null for the defaults. Copied.</param>
    /// <exception cref="ArgumentException">
    /// An option is outside its range, or <see cref="ManagedPolicyOptions.AdapterPath"/> or <see cref="ManagedPolicyOptions.TokenizerPath"/> is set: a checkpoint brings its own.
    /// </exception>
    public ManagedPolicyModelLoader(ManagedPolicyOptions? options = null)
    {
        options?.Validate();
        if (options?.AdapterPath is { } adapter)
        {
            throw new ArgumentException($"AdapterPath is {adapter}, but each checkpoint names its own adapter. Leave the option null.", nameof(options));
        }

        if (options?.TokenizerPath is { } tokenizer)
        {
            throw new ArgumentException($"TokenizerPath is {tokenizer}, but each checkpoint holds its own tokenizer. Leave the option null, and copy the file into the folder.", nameof(options));
        }

        _options = options is null ? new ManagedPolicyOptions() : options with { };
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentNullException"><paramref name="checkpoint"/> is null.</exception>
    public async Task<IPolicyModel> LoadAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return await ManagedPolicyModel.LoadAsync(checkpoint.ModelPath, _options with { AdapterPath = checkpoint.AdapterPath }, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc />
    /// <exception cref="ArgumentNullException"><paramref name="checkpoint"/> is null.</exception>
    public Task<string> GetFingerprintAsync(PolicyCheckpoint checkpoint, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return CheckpointFingerprint.ComputeAsync(checkpoint, _options.ChatTemplate, cancellationToken);
    }

    /// <summary>Returns the name, and of the options that change a response those that are set and that <see cref="GetFingerprintAsync"/> does not cover: context length and weight storage.</summary>
    public override string ToString()
    {
        List<string> set = [];
        if (_options.ContextLength is { } length)
        {
            set.Add(string.Create(CultureInfo.InvariantCulture, $"ContextLength = {length}"));
        }

        if (_options.WeightStorage != WeightStorage.Float32)
        {
            set.Add($"WeightStorage = {_options.WeightStorage}");
        }

        string name = typeof(ManagedPolicyModelLoader).FullName!;
        return set.Count == 0 ? name : $"{name} {{ {string.Join(", ", set)} }}";
    }
}
