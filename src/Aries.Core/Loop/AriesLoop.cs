using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Aries;

/// <summary>The outer loop of ARIES: a policy learns to improve its own answers, round by round.</summary>
/// <remarks>
/// <para>
/// ARIES, <see href="https://arxiv.org/abs/2502.05605"/>. Base → supervised warm-up on labelled triples (Eq. 4) → offline preference training → M_0. Then for t = 1 … T:
/// chains of M_{t−1} on new prompts → scores → pairs → preference training from M_{t−1} against a frozen reference → M_t. Each M_t is judged on held-out prompts, turn by turn.
/// α and β live in the trainer's loss; with α = 0 the loop is Iterative DPO.
/// </para>
/// <para>
/// All that a run does is kept in its folder. A run that was stopped at any moment goes on when it is called again with the same parts, options and data, and ends with
/// the same files as an unbroken one, provided that engine, trainer and scorers are deterministic. Time that reports tell of comes from the <see cref="TimeProvider"/>.
/// </para>
/// </remarks>
/// <threadsafety>Several runs may go on at once, each in its own folder, provided that the parts allow it.</threadsafety>
public sealed class AriesLoop
{
    private readonly AriesLoopParts _parts;
    private readonly AriesLoopOptions _options;
    private readonly RefinementTemplate _template;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly DurableFiles _files;

    /// <summary>Creates a loop.</summary>
    /// <param name="parts">Engine, trainer, strategy, selector and scorers. The loop disposes none of them.</param>
    /// <param name="options">How it runs; null for the defaults. Copied.</param>
    /// <param name="timeProvider">Where durations come from; null for the system's clock.</param>
    /// <param name="logger">Told of rounds and their parts; null for none.</param>
    /// <exception cref="ArgumentNullException">A required part is null.</exception>
    /// <exception cref="ArgumentException">An option is outside its range, the selector needs a scorer and there is none, or the template is not the strategy's.</exception>
    public AriesLoop(AriesLoopParts parts, AriesLoopOptions? options = null, TimeProvider? timeProvider = null, ILogger<AriesLoop>? logger = null)
        : this(parts, options, timeProvider, logger, new DurableFiles())
    {
    }

    internal AriesLoop(AriesLoopParts parts, AriesLoopOptions? options, TimeProvider? timeProvider, ILogger<AriesLoop>? logger, DurableFiles files)
    {
        ArgumentNullException.ThrowIfNull(parts);
        parts.Validate();
        options ??= new AriesLoopOptions();
        options.Validate();
        _parts = parts with { Observers = [.. parts.Observers] };
        _options = options.Copy();
        _template = ChooseTemplate(parts.Strategy, options.Template);
        _timeProvider = timeProvider ?? TimeProvider.System;
        _logger = logger ?? NullLogger<AriesLoop>.Instance;
        _files = files;
    }

    /// <summary>Runs the loop, or goes on with the run that the folder holds.</summary>
    /// <param name="basePolicy">The model that the run starts from; never written to.</param>
    /// <param name="data">What the run learns from and is judged on.</param>
    /// <param name="runFolder">The folder of the run: new, empty, or of a run with the same model, parts, options and data.</param>
    /// <param name="cancellationToken">Stops the run; the folder stays fit to go on.</param>
    /// <returns>Each round's report, and the checkpoints.</returns>
    /// <exception cref="ArgumentException">The data are too few for the rounds, blank, or the evaluation's are learnt from.</exception>
    /// <exception cref="RunMismatchException">The folder holds a run of another model, other parts, options or data.</exception>
    /// <exception cref="RunFolderException">The folder cannot be read or written, or another process works in it.</exception>
    /// <exception cref="JsonlFormatException">A file of the run is damaged; the message names file and line.</exception>
    /// <exception cref="NoPreferencePairsException">A round's chains gave no pair.</exception>
    /// <exception cref="AriesException">The engine, the trainer or a scorer failed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<AriesRunResult> RunAsync(
        PolicyCheckpoint basePolicy, AriesLoopData data, string runFolder, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(basePolicy);
        ArgumentNullException.ThrowIfNull(data);
        ArgumentException.ThrowIfNullOrWhiteSpace(runFolder);
        data.Validate(_options);

        string fingerprint = await _parts.Loader.GetFingerprintAsync(basePolicy, cancellationToken).ConfigureAwait(false);
        RunIdentity identity = RunIdentity.Of(_parts, _options, data, _template, fingerprint);
        using RunFolder folder = RunFolder.Open(runFolder, identity, basePolicy, _files);
        using LoopRun run = new(_parts, _options, data, _template, folder, _timeProvider, _logger, cancellationToken);
        run.Start();

        PolicyCheckpoint warm = await run.WarmUpAsync(basePolicy).ConfigureAwait(false);
        PolicyCheckpoint initial = await run.TrainOfflineAsync(warm).ConfigureAwait(false);
        await run.EvaluateAndCommitAsync(round: 0, initial).ConfigureAwait(false);

        PolicyCheckpoint current = initial;
        for (int round = 1; round <= _options.RoundCount; round++)
        {
            IReadOnlyList<PreferencePair> pairs = await run.CollectPairsAsync(round, current).ConfigureAwait(false);
            PolicyCheckpoint reference = _options.Reference == ReferencePolicy.Initial ? initial : current;
            current = await run.TrainAsync(round, current, reference, pairs).ConfigureAwait(false);
            await run.EvaluateAndCommitAsync(round, current).ConfigureAwait(false);
        }

        return run.Complete();
    }

    private static RefinementTemplate ChooseTemplate(IRefinementStrategy strategy, RefinementTemplate? template)
    {
        if (strategy is not AriesRefinement aries)
        {
            return template ?? RefinementTemplate.Default;
        }

        return template is null || template == aries.Template
            ? aries.Template
            : throw new ArgumentException(
                "The Template of the options differs from that of the strategy, so training would render refinements otherwise than generation. Leave the option null, or give both the same.",
                nameof(template));
    }
}
