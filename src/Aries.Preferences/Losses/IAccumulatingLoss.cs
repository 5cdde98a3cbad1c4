namespace Aries.Preferences;

/// <summary>What the losses of this package share: they check their input first and then add into the outputs, so that sums of losses need no memory.</summary>
internal interface IAccumulatingLoss : IPreferenceLoss
{
    /// <summary>The sequences whose length the loss divides by.</summary>
    PairSequences AveragedSequences => PairSequences.None;

    /// <summary>Whether the loss divides by the chosen tokens of the optimiser batch.</summary>
    bool NeedsChosenTokenCount => false;

    /// <summary>Adds weight · loss and weight · ∂loss/∂log πθ. The batch has been checked and the outputs fit.</summary>
    void Accumulate(in PairBatch batch, double weight, Span<double> losses, in PairGradients gradients);
}
