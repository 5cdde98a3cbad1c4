namespace Aries.Managed;

/// <summary>The training loop over encoded rows: epochs, learning rate, saved state, progress.</summary>
internal sealed class TrainingRun(
    TrainedModel model, OptimizerStep step, ManagedTrainerOptions options, int rowCount, long seed, TrainingState? state)
{
    private readonly MetricMeans _means = new();

    /// <summary>Gets the number of steps of an epoch; the last may be short.</summary>
    public int StepsPerEpoch => (rowCount + options.BatchSize - 1) / options.BatchSize;

    public int StepCount => checked(StepsPerEpoch * options.EpochCount);

    /// <summary>Runs from the saved state, or from the start, to the last step.</summary>
    /// <returns>The means of the metrics over all steps, those before a stop included.</returns>
    public Dictionary<string, double> Run(Action<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        step.TokenCount = state?.Restore(model, step.Optimizer, _means) ?? 0;
        int saved = step.Optimizer.StepCount;
        try
        {
            int epoch = -1;
            int[] order = [];
            while (step.Optimizer.StepCount < StepCount)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int done = step.Optimizer.StepCount;
                if (epoch != done / StepsPerEpoch)
                {
                    epoch = done / StepsPerEpoch;
                    order = EpochOrder.Of(seed, epoch, rowCount);
                }

                int start = done % StepsPerEpoch * options.BatchSize;
                ReadOnlySpan<int> batch = order.AsSpan(start, Math.Min(options.BatchSize, rowCount - start));
                Dictionary<string, double> metrics = step.Run(batch, options.LearningRate.At(done, StepCount), cancellationToken);
                _means.Add(metrics);
                metrics["epoch"] = (double)(done + 1) / StepsPerEpoch;
                progress?.Invoke(new TrainingProgress(done + 1, StepCount, metrics));
                if (state is not null && (done + 1) % options.StateInterval == 0 && done + 1 < StepCount)
                {
                    Save();
                    saved = done + 1;
                }
            }

            cancellationToken.ThrowIfCancellationRequested();
        }
        catch (OperationCanceledException) when (state is not null && step.Optimizer.StepCount > saved)
        {
            Save();
            throw;
        }

        CheckWeights();
        return _means.ToDictionary();
    }

    private void Save() => state!.Save(model, step.Optimizer, step.TokenCount, _means);

    // The last update is followed by no forward pass that would meet a bad number.
    private void CheckWeights()
    {
        foreach (Parameter parameter in model.Trained())
        {
            double squares = RowKernels.SumOfSquares(parameter.Values);
            if (!double.IsFinite(squares))
            {
                throw new TrainingDivergedException(StepCount, $"the weight {parameter.Name}", squares);
            }
        }
    }
}
