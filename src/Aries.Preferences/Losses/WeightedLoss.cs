using System.Buffers;
using System.Globalization;

namespace Aries.Preferences;

/// <summary>A weighted sum of losses over the same pairs, such as DPO with a negative log-likelihood term that keeps the chosen response likely.</summary>
/// <remarks>
/// <code>
/// loss = Σ_k w_k · loss_k
/// </code>
/// <para>
/// DPO with a token-mean <see cref="SupervisedLoss"/> is of the form of Pang et al. 2024, <see href="https://arxiv.org/abs/2404.19733"/>, Eq. 1, whose likelihood term is divided by each response's own tokens instead.
/// </para>
/// <para>Terms that this package defines need no memory; other implementations write into pooled arrays first.</para>
/// </remarks>
/// <threadsafety>Immutable; every member may be called concurrently where the terms allow it.</threadsafety>
public sealed class WeightedLoss : IPreferenceLoss
{
    private readonly WeightedLossTerm[] _terms;

    /// <summary>Initializes a new instance of the <see cref="WeightedLoss"/> class.</summary>
    /// <param name="terms">The terms, at least one; copied.</param>
    /// <exception cref="ArgumentException">There is no term, or a term has no loss.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A weight is not finite and greater than 0.</exception>
    public WeightedLoss(params ReadOnlySpan<WeightedLossTerm> terms)
    {
        if (terms.IsEmpty)
        {
            throw new ArgumentException("A weighted loss needs at least one term.", nameof(terms));
        }

        foreach (WeightedLossTerm term in terms)
        {
            if (term.Loss is null)
            {
                throw new ArgumentException("A term has no loss.", nameof(terms));
            }

            LossGuard.CheckPositive(term.Weight, nameof(WeightedLossTerm.Weight), "leave a term out instead of giving it the weight 0.");
        }

        _terms = terms.ToArray();
        foreach (WeightedLossTerm term in terms)
        {
            Sequences |= term.Loss.Sequences;
            NeedsReference |= term.Loss.NeedsReference;
        }
    }

    /// <summary>Gets the sequences that at least one term needs.</summary>
    public PairSequences Sequences { get; }

    /// <summary>Gets a value indicating whether at least one term needs the reference.</summary>
    public bool NeedsReference { get; }

    /// <summary>Gets a value indicating whether every term honours soft labels.</summary>
    public bool HonorsSoftLabels => Array.TrueForAll(_terms, static t => t.Loss.HonorsSoftLabels);

    /// <summary>Gets the reward of the first term that scores both direct responses, or else of the first term.</summary>
    public ImplicitReward Reward
    {
        get
        {
            foreach (WeightedLossTerm term in _terms)
            {
                if ((term.Loss.Sequences & PairSequences.Direct) == PairSequences.Direct)
                {
                    return term.Loss.Reward;
                }
            }

            return _terms[0].Loss.Reward;
        }
    }

    /// <inheritdoc/>
    public void Compute(in PairBatch batch, Span<double> losses, in PairGradients gradients)
    {
        LossGuard.CheckOutputs(batch, losses, gradients);
        foreach (WeightedLossTerm term in _terms)
        {
            if (term.Loss is IAccumulatingLoss known)
            {
                LossGuard.CheckInputs(known, batch);
            }
        }

        losses.Clear();
        gradients.Values.Clear();
        foreach (WeightedLossTerm term in _terms)
        {
            if (term.Loss is IAccumulatingLoss known)
            {
                known.Accumulate(batch, term.Weight, losses, gradients);
            }
            else
            {
                AddThroughScratch(term, batch, losses, gradients);
            }
        }
    }

    /// <summary>Returns the name and every term, the same in every culture.</summary>
    public override string ToString() =>
        $"{nameof(WeightedLoss)} {{ {string.Join(" + ", _terms.Select(term => string.Create(CultureInfo.InvariantCulture, $"{term.Weight} · {term.Loss}")))} }}";

    private static void AddThroughScratch(WeightedLossTerm term, in PairBatch batch, Span<double> losses, in PairGradients gradients)
    {
        int size = losses.Length + gradients.Values.Length;
        double[] rented = ArrayPool<double>.Shared.Rent(size);
        try
        {
            Span<double> termLosses = rented.AsSpan(0, losses.Length);
            Span<double> termGradients = rented.AsSpan(losses.Length, gradients.Values.Length);
            term.Loss.Compute(batch, termLosses, new PairGradients(termGradients));
            MarginKernel.AddScaled(termLosses, term.Weight, losses);
            MarginKernel.AddScaled(termGradients, term.Weight, gradients.Values);
        }
        finally
        {
            ArrayPool<double>.Shared.Return(rented);
        }
    }
}
