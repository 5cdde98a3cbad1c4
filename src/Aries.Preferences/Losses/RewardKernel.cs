using System.Runtime.CompilerServices;

namespace Aries.Preferences;

/// <summary>A loss that is a function of the two log-ratios of a pair, not of their difference alone.</summary>
internal interface IRewardFunction
{
    /// <summary>Evaluates the function and its partial derivatives. All shapes [n], n at most <see cref="MarginKernel.Block"/>.</summary>
    void Evaluate(ReadOnlySpan<double> chosen, ReadOnlySpan<double> rejected, Span<double> values, Span<double> byChosen, Span<double> byRejected);
}

/// <summary>Adds a function of the log-ratios log πθ − log πref of chosen and rejected to losses and gradients.</summary>
internal static class RewardKernel
{
    [SkipLocalsInit]
    public static void Accumulate<TFunction>(TFunction function, in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients)
        where TFunction : IRewardFunction
    {
        Span<double> chosen = stackalloc double[MarginKernel.Block];
        Span<double> rejected = stackalloc double[MarginKernel.Block];
        Span<double> values = stackalloc double[MarginKernel.Block];
        Span<double> byChosen = stackalloc double[MarginKernel.Block];
        Span<double> byRejected = stackalloc double[MarginKernel.Block];
        for (int start = 0; start < batch.Count; start += MarginKernel.Block)
        {
            int n = Math.Min(MarginKernel.Block, batch.Count - start);
            MarginKernel.Score(batch, PairSequence.Chosen, reference: true, averaged: false, start, chosen[..n]);
            MarginKernel.Score(batch, PairSequence.Rejected, reference: true, averaged: false, start, rejected[..n]);

            function.Evaluate(chosen[..n], rejected[..n], values[..n], byChosen[..n], byRejected[..n]);

            MarginKernel.AddScaled(values[..n], weight, losses.Slice(start, n));
            MarginKernel.AddScaled(byChosen[..n], weight, gradients.Row(PairSequence.Chosen).Slice(start, n));
            MarginKernel.AddScaled(byRejected[..n], weight, gradients.Row(PairSequence.Rejected).Slice(start, n));
        }
    }
}
