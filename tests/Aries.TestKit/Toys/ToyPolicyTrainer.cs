using System.Globalization;

namespace Aries.TestKit;

/// <summary>Trains <see cref="ToyCheckpoint"/>s: each row stirs the weights. Exact resume in the middle of a training.</summary>
/// <param name="rowsPerStep">How many rows a step takes.</param>
/// <param name="stepsPerState">After how many steps the state is kept.</param>
/// <param name="stepDelay">How long a step takes, so that a process can be stopped in the middle.</param>
public sealed class ToyPolicyTrainer(int rowsPerStep = 2, int stepsPerState = 2, TimeSpan stepDelay = default) : IPolicyTrainer
{
    /// <summary>Gets the requests, oldest first.</summary>
    public List<TrainingRequest> Requests { get; } = [];

    /// <summary>Gets the steps that were done, over all requests; a step that was done again counts again.</summary>
    public int StepCount { get; private set; }

    /// <summary>Gets or sets what each step goes through before its progress is told; it may throw.</summary>
    public Action<int>? OnStep { get; set; }

    /// <inheritdoc />
    public Task<TrainingResult> TrainSupervisedAsync(
        SupervisedTrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        string[] rows = [.. request.Examples.Select(example => $"{example.Prompt}|{example.Response}|{example.PreviousResponse}")];
        return TrainAsync(request, rows, 0, progress, cancellationToken);
    }

    /// <inheritdoc />
    public Task<TrainingResult> TrainPreferencesAsync(
        PreferenceTrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        string[] rows = [.. request.Pairs.Select(pair => $"{pair.Prompt}|{pair.Chosen}|{pair.Rejected}|{pair.ChosenProbability.ToString("R", CultureInfo.InvariantCulture)}")];
        return TrainAsync(request, rows, ToyCheckpoint.Read(request.Reference), progress, cancellationToken);
    }

    /// <inheritdoc />
    public string Describe() => $"toy, {rowsPerStep} rows a step";

    private async Task<TrainingResult> TrainAsync(
        TrainingRequest request, string[] rows, ulong reference, Action<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        Requests.Add(request);
        if (rows.Length == 0)
        {
            throw new ArgumentException("There is no row to train on.", nameof(request));
        }

        if (Directory.Exists(request.OutputPath))
        {
            throw new ArgumentException($"{request.OutputPath} exists already.", nameof(request));
        }

        string identity = string.Create(
            CultureInfo.InvariantCulture,
            $"{ToyCheckpoint.Read(request.Policy)} {reference} {request.Seed} {rows.Aggregate(0UL, ToyCheckpoint.Mix)} {ToyCheckpoint.Mix(0, request.Template.Text)}");
        int stepCount = (rows.Length + rowsPerStep - 1) / rowsPerStep;
        (int step, ulong weights, double lossSum) = ReadState(request, identity);
        while (step < stepCount)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (stepDelay > TimeSpan.Zero)
            {
                await Task.Delay(stepDelay, cancellationToken);
            }

            foreach (string row in rows.Skip(step * rowsPerStep).Take(rowsPerStep))
            {
                weights = ToyCheckpoint.Mix(weights ^ reference ^ (ulong)request.Seed, row);
            }

            step++;
            StepCount++;
            OnStep?.Invoke(step);
            double loss = weights % 1000 / 1000.0;
            lossSum += loss;
            progress?.Invoke(new TrainingProgress(step, stepCount, new Dictionary<string, double> { ["loss"] = loss, ["grad_norm"] = 1 + loss }));
            if (step % stepsPerState == 0)
            {
                WriteState(request, identity, step, weights, lossSum);
            }
        }

        PolicyCheckpoint checkpoint = ToyCheckpoint.Write(request.OutputPath, weights);
        return new TrainingResult(checkpoint, stepCount, new Dictionary<string, double> { ["loss"] = lossSum / stepCount }, DroppedRowCount: 0);
    }

    private static (int Step, ulong Weights, double LossSum) ReadState(TrainingRequest request, string identity)
    {
        string? path = request.StatePath is null ? null : Path.Combine(request.StatePath, "state.txt");
        if (path is null || !File.Exists(path))
        {
            return (0, ToyCheckpoint.Read(request.Policy), 0);
        }

        string[] lines = File.ReadAllLines(path);
        return lines[0] == identity
            ? (int.Parse(lines[1], CultureInfo.InvariantCulture), ulong.Parse(lines[2], CultureInfo.InvariantCulture), double.Parse(lines[3], CultureInfo.InvariantCulture))
            : throw new InvalidOperationException($"{path} is the state of another request: \"{lines[0]}\", not \"{identity}\".");
    }

    private static void WriteState(TrainingRequest request, string identity, int step, ulong weights, double lossSum)
    {
        if (request.StatePath is null)
        {
            return;
        }

        Directory.CreateDirectory(request.StatePath);
        string path = Path.Combine(request.StatePath, "state.txt");
        File.WriteAllLines(path + ".partial", [
            identity,
            step.ToString(CultureInfo.InvariantCulture),
            weights.ToString(CultureInfo.InvariantCulture),
            lossSum.ToString("R", CultureInfo.InvariantCulture)]);
        File.Move(path + ".partial", path, overwrite: true);
    }
}
