using System.Globalization;
using Aries.Preferences;

namespace Aries.Managed;

/// <summary>Trains Llama-family models in managed code: all weights or a LoRA adapter, supervised or with any preference loss.</summary>
/// <remarks>
/// <para>
/// Reference log-probabilities are computed once a call and kept beside the saved state. The sequences of a micro-batch are merged into one token tree, so shared prefixes are computed once.
/// </para>
/// <para>A training that was cancelled or killed goes on from its saved state to the same bits as one that was not, on the same kind of processor.</para>
/// </remarks>
/// <threadsafety>Every member may be called concurrently; each call loads a model of its own, and the threads of the process are shared.</threadsafety>
public sealed class ManagedPolicyTrainer : IPolicyTrainer
{
    // A metric of the result: sequences whose response was encoded alone, because a merge would have reached over the boundary.
    private const string MovedBoundaries = "moved_boundaries";

    private readonly ManagedTrainerOptions _options;
    private readonly Func<PolicyCheckpoint, LlamaConfig, ISequenceEncoder> _createEncoder;
    private readonly WorkerPool _pool;

    /// <summary>Creates a trainer with the default options.</summary>
    public ManagedPolicyTrainer()
        : this(new ManagedTrainerOptions())
    {
    }

    /// <summary>Creates a trainer.</summary>
    /// <param name="options">The options; copied.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> or a part of it is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is outside its range.</exception>
    public ManagedPolicyTrainer(ManagedTrainerOptions options)
        : this(options, (checkpoint, config) => PromptSequenceEncoder.Load(checkpoint, config, options.ChatTemplate))
    {
    }

    internal ManagedPolicyTrainer(
        ManagedTrainerOptions options, Func<PolicyCheckpoint, LlamaConfig, ISequenceEncoder> createEncoder, WorkerPool? pool = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options.Copy();
        _createEncoder = createEncoder;
        _pool = pool ?? WorkerPool.Shared;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentNullException"><paramref name="request"/> is null.</exception>
    /// <exception cref="NotSupportedException">The policy's adapter has another shape than <see cref="ManagedTrainerOptions.Lora"/> asks for.</exception>
    public Task<TrainingResult> TrainSupervisedAsync(
        SupervisedTrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Examples.Count == 0)
        {
            throw new ArgumentException("There is no example to learn.", nameof(request));
        }

        CheckOutput(request);
        return Task.Run(() => TrainSupervised(request, progress, cancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentNullException"><paramref name="request"/> is null.</exception>
    /// <exception cref="NotSupportedException">
    /// The policy's adapter has another shape than <see cref="ManagedTrainerOptions.Lora"/> asks for, or a pair has a soft label and the loss does not honour it.
    /// </exception>
    public Task<TrainingResult> TrainPreferencesAsync(
        PreferenceTrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Pairs.Count == 0)
        {
            throw new ArgumentException("There is no pair to learn.", nameof(request));
        }

        if (!_options.Loss.HonorsSoftLabels && request.Pairs.Any(pair => pair.ChosenProbability != 1))
        {
            throw new NotSupportedException(
                $"{_options.Loss.GetType().Name} does not honour label probabilities other than 1, and a pair has one. Set ChosenProbability to 1, or use a loss that honours soft labels.");
        }

        CheckOutput(request);
        return Task.Run(() => TrainPreferences(request, progress, cancellationToken), cancellationToken);
    }

    /// <inheritdoc/>
    public string Describe()
    {
        ManagedTrainerOptions o = _options;
        string template = o.ChatTemplate is { } own ? $"{own.Name} {own.Fingerprint("")[..16]}" : "the model's";
        string lora = o.Lora is { } low ? string.Create(CultureInfo.InvariantCulture, $"rank {low.Rank} alpha {low.Alpha} on {low.Targets}") : "none";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"ManagedPolicyTrainer: loss {TrainingIdentity.OfLoss(o.Loss)}, supervised {o.SupervisedNormalization}, LoRA {lora}, learning rate {o.LearningRate.Peak} warm-up {o.LearningRate.WarmUpFraction} from {o.LearningRate.WarmUpStart} then {o.LearningRate.Decay}, ")
            + string.Create(
                CultureInfo.InvariantCulture,
                $"AdamW {o.Optimizer.Beta1} {o.Optimizer.Beta2} {o.Optimizer.Epsilon} decay {o.Optimizer.WeightDecay} clip {o.Optimizer.MaxGradientNorm}, epochs {o.EpochCount}, batch {o.BatchSize}, micro-batch {o.MicroBatchTokens?.ToString(CultureInfo.InvariantCulture) ?? "default"}, length {o.MaxLength?.ToString(CultureInfo.InvariantCulture) ?? "context"} {o.Truncation}, template {template}");
    }

    private static void CheckOutput(TrainingRequest request)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(request.OutputPath, nameof(request));
        if (Path.Exists(request.OutputPath))
        {
            throw new ArgumentException($"The output {request.OutputPath} exists already; name a folder that does not.", nameof(request));
        }
    }

    // Hours of training must not end at a folder that could never be written.
    private static void CheckCanBeWritten(string path)
    {
        try
        {
            AtomicOutput.CheckFolder(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new TrainingOutputException(path, exception);
        }
    }

    private TrainingResult TrainSupervised(SupervisedTrainingRequest request, Action<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        CheckCanBeWritten(request.OutputPath);
        TrainedModel model = LoadPolicy(request);
        RowEncoder encoder = CreateEncoder(request, model.Config);
        List<TrainingRow> rows = encoder.Examples(request.Examples, cancellationToken);
        Dictionary<string, string> identity = Identify(request, "supervised", rows, cancellationToken);
        OptimizerStep step = CreateStep(model, new SupervisedLoss(_options.SupervisedNormalization), rows);
        return Train(request, model, step, rows.Count, identity, encoder, progress, cancellationToken);
    }

    private TrainingResult TrainPreferences(PreferenceTrainingRequest request, Action<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        CheckCanBeWritten(request.OutputPath);
        TrainedModel model = LoadPolicy(request);
        RowEncoder encoder = CreateEncoder(request, model.Config);
        List<TrainingRow> rows = encoder.Pairs(request.Pairs, _options.Loss.Sequences, cancellationToken);
        Dictionary<string, string> identity = Identify(request, "preferences", rows, cancellationToken);
        OptimizerStep step = CreateStep(model, _options.Loss, rows);
        if (_options.Loss.NeedsReference && rows.Count > 0)
        {
            identity["reference"] = CheckpointFingerprint.Compute(request.Reference.ModelPath, request.Reference.AdapterPath, cancellationToken);
            step.Reference = ScoreReference(request, model, step, rows.Count, identity, cancellationToken);
        }

        return Train(request, model, step, rows.Count, identity, encoder, progress, cancellationToken);
    }

    private TrainingResult Train(
        TrainingRequest request,
        TrainedModel model,
        OptimizerStep step,
        int rowCount,
        Dictionary<string, string> identity,
        RowEncoder encoder,
        Action<TrainingProgress>? progress,
        CancellationToken cancellationToken)
    {
        if (rowCount == 0)
        {
            throw new ArgumentException(
                $"All {encoder.DroppedCount} rows were dropped: after truncation to {MaxLength(model.Config)} tokens no response is left, or chosen and rejected are equal. Raise MaxLength or shorten the prompts.",
                nameof(request));
        }

        TrainingState? state = request.StatePath is null ? null : new TrainingState(request.StatePath, identity);
        TrainingRun run = new(model, step, _options, rowCount, request.Seed, state);
        Dictionary<string, double> metrics = run.Run(progress, cancellationToken);
        metrics[MovedBoundaries] = encoder.MovedBoundaryCount;
        PolicyCheckpoint checkpoint = Write(request, model);
        state?.Clear();
        return new TrainingResult(checkpoint, run.StepCount, metrics, encoder.DroppedCount);
    }

    private RowEncoder CreateEncoder(TrainingRequest request, LlamaConfig config) =>
        new(_createEncoder(request.Policy, config), request.Template, MaxLength(config), _options.Truncation);

    private int MaxLength(LlamaConfig config)
    {
        if (_options.MaxLength > config.ContextLength)
        {
            throw new NotSupportedException($"MaxLength is {_options.MaxLength}, and the model's context holds {config.ContextLength} tokens. Lower MaxLength.");
        }

        return _options.MaxLength ?? config.ContextLength;
    }

    private OptimizerStep CreateStep(TrainedModel model, IPreferenceLoss loss, List<TrainingRow> rows) => new(
        model, loss, _options.Optimizer, rows, _options.MicroBatchTokens ?? MicroBatches.DefaultTokens(model.Config), _options.RecomputeActivations, _pool);

    private Dictionary<string, string> Identify(TrainingRequest request, string kind, List<TrainingRow> rows, CancellationToken cancellationToken) => new()
    {
        ["kind"] = kind,
        ["trainer"] = Describe(),
        ["policy"] = CheckpointFingerprint.Compute(request.Policy.ModelPath, request.Policy.AdapterPath, cancellationToken),
        ["data"] = TrainingIdentity.OfRows(rows),
        ["seed"] = request.Seed.ToString(CultureInfo.InvariantCulture),
    };

    private ReferenceScores ScoreReference(
        PreferenceTrainingRequest request, TrainedModel policy, OptimizerStep step, int rowCount, Dictionary<string, string> identity, CancellationToken cancellationToken)
    {
        string fingerprint = $"{identity["reference"]} {identity["data"]}";
        if (request.StatePath is not null && ReferenceCache.Load(request.StatePath, fingerprint, rowCount) is { } known)
        {
            return known;
        }

        // The policy is still as it was loaded, and a new adapter changes nothing yet: where the two checkpoints are one, it is the reference.
        TrainedModel reference = request.Reference == request.Policy ? policy : LoadReference(request, policy, step.FreeWeights);
        ReferenceScores scores;
        try
        {
            scores = step.ScoreReference(reference, cancellationToken);
        }
        catch (NotFiniteNumberException exception)
        {
            throw new ModelFormatException(
                request.Reference.ModelPath, "the reference's output is not finite.", "Its weights are damaged: restore the checkpoint.", exception);
        }

        if (request.StatePath is not null)
        {
            ReferenceCache.Save(request.StatePath, fingerprint, scores);
        }

        return scores;
    }

    private TrainedModel LoadPolicy(TrainingRequest request)
    {
        TrainedModel model = Load(request.Policy);
        if (_options.Lora is not { } wanted)
        {
            return Merged(model);
        }

        if (model.Adapter is null)
        {
            return model with { Adapter = LoraInitialization.Create(model.Weights, wanted, request.Seed) };
        }

        return model.Adapter.Options == wanted
            ? model
            : throw new NotSupportedException(
                $"The policy's adapter {request.Policy.AdapterPath} has {model.Adapter.Options}, and Lora asks for {wanted}. Training goes on with an adapter of its own shape only: set Lora to it.");
    }

    private TrainedModel LoadReference(PreferenceTrainingRequest request, TrainedModel policy, LlamaWeights? place)
    {
        // An adapter leaves the base weights alone, so both may read the same ones.
        TrainedModel reference = _options.Lora is not null && request.Reference.ModelPath == request.Policy.ModelPath
            ? policy with { Adapter = request.Reference.AdapterPath is { } path ? PeftAdapter.Load(path, policy.Weights) : null }
            : Load(request.Reference, place is null ? null : (policy.Config, place));
        if (reference.Config.VocabularySize != policy.Config.VocabularySize || reference.Config.ContextLength < MaxLength(policy.Config))
        {
            throw new ModelFormatException(
                request.Reference.ModelPath,
                $"the reference has {reference.Config.VocabularySize} tokens and a context of {reference.Config.ContextLength}; the policy has {policy.Config.VocabularySize} and sequences up to {MaxLength(policy.Config)}.",
                "Use a reference with the policy's tokenizer, whose context holds the sequences.");
        }

        return _options.Lora is null ? Merged(reference) : reference;
    }

    private static TrainedModel Load(PolicyCheckpoint checkpoint, (LlamaConfig Config, LlamaWeights Weights)? place = null)
    {
        (LlamaConfig config, LlamaWeights weights) = LlamaFolder.Load(checkpoint.ModelPath, place: place);
        return new TrainedModel(config, weights, checkpoint.AdapterPath is { } path ? PeftAdapter.Load(path, weights) : null);
    }

    private TrainedModel Merged(TrainedModel model)
    {
        if (model.Adapter is { } adapter)
        {
            LoraInitialization.Merge(model.Weights, adapter, _pool);
        }

        return model with { Adapter = null };
    }

    private static PolicyCheckpoint Write(TrainingRequest request, TrainedModel model)
    {
        try
        {
            if (model.Adapter is null)
            {
                LlamaFolder.Save(request.OutputPath, model.Config, model.Weights, request.Policy.ModelPath);
                return new PolicyCheckpoint(request.OutputPath);
            }

            PeftAdapter.Save(request.OutputPath, model.Adapter, request.Policy.ModelPath);
            return new PolicyCheckpoint(request.Policy.ModelPath, request.OutputPath);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new TrainingOutputException(request.OutputPath, exception);
        }
    }
}
