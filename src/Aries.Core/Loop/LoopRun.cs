using System.Buffers;
using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Aries;

/// <summary>The steps of one run. Each looks first whether its folder holds its result, so a run that goes on passes through what is done.</summary>
internal sealed class LoopRun : IDisposable
{
    private readonly AriesLoopParts _parts;
    private readonly AriesLoopOptions _options;
    private readonly AriesLoopData _data;
    private readonly RefinementTemplate _template;
    private readonly RunFolder _folder;
    private readonly TimeProvider _timeProvider;
    private readonly CancellationToken _cancellationToken;
    private readonly PolicyHolder _policies;
    private readonly MetricsLog _metrics;
    private readonly LoopObservers _observers;
    private readonly PreferenceJsonlOptions _pairOptions;
    private readonly List<RoundReport> _rounds = [];
    private readonly Activity? _activity;
    private RoundParts _done = new();

    public LoopRun(
        AriesLoopParts parts,
        AriesLoopOptions options,
        AriesLoopData data,
        RefinementTemplate template,
        RunFolder folder,
        TimeProvider timeProvider,
        ILogger logger,
        CancellationToken cancellationToken)
    {
        (_parts, _options, _data, _template, _folder, _timeProvider) = (parts, options, data, template, folder, timeProvider);
        _cancellationToken = cancellationToken;
        _pairOptions = new PreferenceJsonlOptions
        {
            Form = options.PairForm ?? (data.Prompts.Any(prompt => prompt.Count > 1) ? PreferenceJsonlForm.Chat : PreferenceJsonlForm.Plain),
        };
        _policies = new PolicyHolder(parts.Loader);
        _metrics = new MetricsLog(folder.MetricsPath, folder.Files);
        _observers = new LoopObservers([_metrics, new ReportObserver(folder), new TelemetryObserver(), new LoggingObserver(logger), .. parts.Observers]);
        _activity = AriesTelemetry.Start("aries.run");
    }

    /// <summary>Tells that the run begins. Not done by the constructor: what an observer throws must find a run that can be disposed.</summary>
    public void Start() => _observers.OnRunStarted(_folder.Path, _options with { });

    /// <summary>ARIES, Eq. 4, on the labelled triples; the base policy where there are none.</summary>
    public Task<PolicyCheckpoint> WarmUpAsync(PolicyCheckpoint basePolicy)
    {
        if (_data.WarmUpPairs.Count == 0)
        {
            return Task.FromResult(basePolicy);
        }

        IReadOnlyList<SupervisedExample> examples = [.. SupervisedExample.FromPairs(_data.WarmUpPairs)];
        IPolicyTrainer trainer = _parts.WarmUpTrainer ?? _parts.Trainer;
        return TrainAsync(0, LoopStage.WarmUp, _folder.OpenRound(0).WarmUp, examples.Count, (folder, progress) => trainer.TrainSupervisedAsync(
            new SupervisedTrainingRequest
            {
                Policy = basePolicy,
                Examples = examples,
                Template = _template,
                OutputPath = folder.OutputPath,
                StatePath = folder.StatePath,
                Seed = RunSeeds.Of(_options.Seed, LoopStage.WarmUp, 0),
            },
            progress,
            _cancellationToken));
    }

    /// <summary>Preference training on the labelled pairs against the warmed-up policy; that policy where there are none.</summary>
    public Task<PolicyCheckpoint> TrainOfflineAsync(PolicyCheckpoint policy) => _data.OfflinePairs.Count == 0
        ? Task.FromResult(policy)
        : TrainPreferencesAsync(0, LoopStage.OfflineTraining, _parts.OfflineTrainer ?? _parts.Trainer, policy, policy, _data.OfflinePairs);

    /// <summary>Chains of the policy on the round's prompts, scored and made into pairs.</summary>
    public async Task<IReadOnlyList<PreferencePair>> CollectPairsAsync(int round, PolicyCheckpoint policy)
    {
        RoundFolder folder = _folder.OpenRound(round);
        if (folder.ReadRound() is not null)
        {
            return [];
        }

        if (folder.ReadCollection() is { } stored)
        {
            (_done.Collection, _done.Pairs) = (stored.Chains, stored.Pairs);
            return await ReadPairsAsync(folder.PairsPath).ConfigureAwait(false);
        }

        long start = _timeProvider.GetTimestamp();
        using Activity? activity = StartActivity("aries.collect", round);
        ChainBatches chains = new(
            folder.TracesPath,
            $"r{round:00}-",
            [.. _data.Prompts.Skip((round - 1) * _options.PromptsPerRound).Take(_options.PromptsPerRound)],
            _options.BatchSize);
        await RunChainsAsync(round, LoopStage.Collection, chains, policy, _parts.Strategy, _options.Sampling, _parts.Scorer).ConfigureAwait(false);

        IReadOnlyList<PreferencePair> pairs = await SelectAsync(round, folder, chains, start).ConfigureAwait(false);
        _observers.OnStageCompleted(round, LoopStage.Collection);
        return pairs;
    }

    /// <summary>Preference training on the round's pairs.</summary>
    public Task<PolicyCheckpoint> TrainAsync(int round, PolicyCheckpoint policy, PolicyCheckpoint reference, IReadOnlyList<PreferencePair> pairs) =>
        TrainPreferencesAsync(round, LoopStage.Training, _parts.Trainer, policy, reference, pairs);

    /// <summary>Chains of the round's policy on the held-out prompts; then the round is committed.</summary>
    public async Task EvaluateAndCommitAsync(int round, PolicyCheckpoint policy)
    {
        RoundFolder folder = _folder.OpenRound(round);
        if (folder.ReadRound() is { } stored)
        {
            RoundReport restored = stored.Resolve(_folder);
            _rounds.Add(restored);
            _done = new RoundParts();
            _observers.OnRoundRestored(restored);
            return;
        }

        SamplingOptions sampling = _options.EvaluationSampling ?? _options.Sampling;
        ChainsReport? evaluation = await EvaluateAsync(round, LoopStage.Evaluation, folder.EvaluationPath, policy, sampling).ConfigureAwait(false);
        ChainsReport? greedy = !_options.EvaluateGreedy
            ? null
            : await EvaluateAsync(round, LoopStage.GreedyEvaluation, folder.GreedyEvaluationPath, policy, sampling with { Temperature = 0 }).ConfigureAwait(false);

        RoundReport report = new()
        {
            Round = round,
            Checkpoint = policy,
            Collection = _done.Collection,
            Pairs = _done.Pairs,
            WarmUp = _done.WarmUp,
            Training = _done.Training,
            Evaluation = evaluation,
            GreedyEvaluation = greedy,
        };
        folder.CommitRound(StoredRound.Of(report, _folder));
        _rounds.Add(report);
        _done = new RoundParts();
        _observers.OnRoundCompleted(report);
    }

    public AriesRunResult Complete()
    {
        AriesRunResult result = new() { RunFolder = _folder.Path, Rounds = [.. _rounds] };
        _observers.OnRunCompleted(result);
        return result;
    }

    public void Dispose()
    {
        _activity?.Dispose();
        _policies.Dispose();
        _metrics.Dispose();
    }

    private Task<PolicyCheckpoint> TrainPreferencesAsync(
        int round, LoopStage stage, IPolicyTrainer trainer, PolicyCheckpoint policy, PolicyCheckpoint reference, IReadOnlyList<PreferencePair> pairs) =>
        TrainAsync(round, stage, _folder.OpenRound(round).Training, pairs.Count, (folder, progress) => trainer.TrainPreferencesAsync(
            new PreferenceTrainingRequest
            {
                Policy = policy,
                Reference = reference,
                Pairs = pairs,
                Template = _template,
                OutputPath = folder.OutputPath,
                StatePath = folder.StatePath,
                Seed = RunSeeds.Of(_options.Seed, stage, round),
            },
            progress,
            _cancellationToken));

    private async Task<PolicyCheckpoint> TrainAsync(
        int round, LoopStage stage, TrainingFolder folder, int rowCount, Func<TrainingFolder, Action<TrainingProgress>, Task<TrainingResult>> train)
    {
        (PolicyCheckpoint Checkpoint, TrainingReport Report) done;
        if (folder.ReadOrPrepare() is { } stored)
        {
            done = stored;
        }
        else
        {
            // The trainer has the memory to itself.
            _policies.Release();
            long start = _timeProvider.GetTimestamp();
            using Activity? activity = StartActivity("aries.train", round);
            _observers.OnStageStarted(round, stage, rowCount, doneCount: 0);
            TrainingResult result = await train(folder, progress => _observers.OnTrainingStep(round, stage, progress)).ConfigureAwait(false);
            done = (result.Checkpoint, new TrainingReport
            {
                RowCount = rowCount,
                DroppedRowCount = result.DroppedRowCount,
                StepCount = result.StepCount,
                Metrics = new SortedDictionary<string, double>(result.Metrics.ToDictionary(), StringComparer.Ordinal),
                Duration = _timeProvider.GetElapsedTime(start),
            });
            folder.Commit(done.Checkpoint, done.Report);
            _observers.OnStageCompleted(round, stage);
        }

        if (stage == LoopStage.WarmUp)
        {
            _done.WarmUp = done.Report;
        }
        else
        {
            _done.Training = done.Report;
        }

        return done.Checkpoint;
    }

    private async Task<ChainsReport?> EvaluateAsync(int round, LoopStage stage, string path, PolicyCheckpoint policy, SamplingOptions sampling)
    {
        if (_data.EvaluationPrompts.Count == 0)
        {
            return null;
        }

        long start = _timeProvider.GetTimestamp();
        using Activity? activity = StartActivity("aries.evaluate", round);
        ChainBatches chains = new(path, "e-", _data.EvaluationPrompts, _options.BatchSize);
        IRewardScorer? scorer = _parts.TrueScorer ?? _parts.Scorer;
        await RunChainsAsync(round, stage, chains, policy, _parts.EvaluationStrategy ?? _parts.Strategy, sampling, scorer).ConfigureAwait(false);

        ChainStatistics statistics = new(_options.CorrectAt);
        await foreach (RefinementTrace trace in TraceJsonl.ReadAsync(path, _cancellationToken).ConfigureAwait(false))
        {
            statistics.Add(trace, trueScores: null);
        }

        _observers.OnStageCompleted(round, stage);
        return statistics.ToReport(hasSelectionScores: false, hasTrueScores: false, _timeProvider.GetElapsedTime(start));
    }

    /// <summary>Draws the chains that the file does not hold yet, a batch at a time, and appends them.</summary>
    private async Task RunChainsAsync(
        int round, LoopStage stage, ChainBatches chains, PolicyCheckpoint checkpoint, IRefinementStrategy strategy, SamplingOptions sampling, IRewardScorer? scorer)
    {
        using AppendOnlyFile file = _folder.Files.OpenAppend(chains.Path);
        int done = chains.Restore(file);
        _observers.OnStageStarted(round, stage, chains.Count, done);
        if (done == chains.Count)
        {
            return;
        }

        IPolicyModel policy = await _policies.GetAsync(checkpoint, _cancellationToken).ConfigureAwait(false);
        PreferenceDataCollectorOptions options = new()
        {
            BatchSize = _options.BatchSize,
            Sampling = sampling with { Seed = RunSeeds.Of(_options.Seed, stage, round) },
        };
        PreferenceDataCollector collector = new(policy, strategy, new NoSelection(), options, scorer, _timeProvider);
        ArrayBufferWriter<byte> line = new();
        foreach (ChainRequest[] batch in chains.Remaining(done))
        {
            foreach (RefinementTrace trace in await DrawAsync(round, stage, collector, batch).ConfigureAwait(false))
            {
                line.ResetWrittenCount();
                TraceJsonl.WriteLine(line, trace);
                file.Append(line.WrittenMemory);
                _observers.OnChain(round, stage, trace);
            }

            file.Sync();
        }
    }

    private async Task<IReadOnlyList<RefinementTrace>> DrawAsync(int round, LoopStage stage, PreferenceDataCollector collector, ChainRequest[] batch)
    {
        List<RefinementTrace> traces = new(batch.Length);
        await foreach (CollectedChain chain in collector.CollectAsync(batch, _cancellationToken).ConfigureAwait(false))
        {
            traces.Add(chain.Trace);
        }

        return traces.Count > 1 && traces.TrueForAll(trace => trace.StopReason == RefinementStopReason.Failed && trace.Error == traces[0].Error)
            ? throw new ChainsFailedException(round, stage, traces.Count, traces[0].Error)
            : traces;
    }

    private async Task<IReadOnlyList<PreferencePair>> SelectAsync(int round, RoundFolder folder, ChainBatches chains, long start)
    {
        // Chains come from the file even where they were just drawn: what a run learns from is what it keeps.
        IRewardScorer? trueScorer = ReferenceEquals(_parts.TrueScorer, _parts.Scorer) ? null : _parts.TrueScorer;
        bool hasTrueScores = _parts.TrueScorer is not null;
        ChainStatistics statistics = new(_options.CorrectAt);
        PairStatistics pairStatistics = new();
        List<PreferencePair> pairs = [];
        await foreach (RefinementTrace[] traces in TraceJsonl.ReadAsync(chains.Path, _cancellationToken).Chunk(_options.BatchSize).ConfigureAwait(false))
        {
            PairSelection[] selections = [.. traces.Select(_parts.Selector.SelectPairs)];
            TrueScores? scores = trueScorer is null
                ? null
                : await TrueScores.GetAsync(trueScorer, traces, selections, _cancellationToken).ConfigureAwait(false);
            for (int i = 0; i < traces.Length; i++)
            {
                int chain = i;
                statistics.Add(traces[i], scores?.OfDrafts(i));
                pairStatistics.Add(selections[i], !hasTrueScores ? null : response => scores is null ? OwnScore(traces[chain], response) : scores.Of(chain, response));
                AriesTelemetry.RecordPairs(selections[i]);
                pairs.AddRange(selections[i].Pairs);
            }
        }

        if (pairs.Count == 0)
        {
            throw new NoPreferencePairsException(round, statistics.ChainCount, statistics.FailedCount, pairStatistics.Drops, chains.Path);
        }

        ArrayBufferWriter<byte> lines = new();
        foreach (PreferencePair pair in pairs)
        {
            PreferenceJsonl.WriteLine(lines, pair, _pairOptions);
        }

        _folder.Files.Replace(folder.PairsPath, lines.WrittenMemory);
        _done.Collection = statistics.ToReport(_parts.Scorer is not null, trueScorer is not null, _timeProvider.GetElapsedTime(start));
        _done.Pairs = pairStatistics.ToReport(hasTrueScores);
        folder.CommitCollection(new StoredCollection(_done.Collection, _done.Pairs));
        return await ReadPairsAsync(folder.PairsPath).ConfigureAwait(false);
    }

    private static double? OwnScore(RefinementTrace trace, string response) =>
        trace.Drafts.FirstOrDefault(draft => draft.Text == response)?.Score is { IsValid: true } score ? score.Value : null;

    private async Task<IReadOnlyList<PreferencePair>> ReadPairsAsync(string path)
    {
        List<PreferencePair> pairs = [];
        await foreach (PreferencePair pair in PreferenceJsonl.ReadAsync(path, _cancellationToken).ConfigureAwait(false))
        {
            pairs.Add(pair);
        }

        return pairs;
    }

    private static Activity? StartActivity(string name, int round)
    {
        Activity? activity = AriesTelemetry.Start(name);
        activity?.SetTag("aries.round", round);
        return activity;
    }

    /// <summary>What is known of the round in work.</summary>
    private sealed class RoundParts
    {
        public ChainsReport? Collection { get; set; }

        public PairsReport? Pairs { get; set; }

        public TrainingReport? WarmUp { get; set; }

        public TrainingReport? Training { get; set; }
    }
}
