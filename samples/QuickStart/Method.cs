namespace QuickStart;

/// <summary>What a run trains with; the first is the point, the others are what it is compared with.</summary>
internal enum Method
{
    /// <summary>Pairs out of chains, ARIES loss.</summary>
    Aries,

    /// <summary>α = 0: pairs out of parallel direct answers, DPO loss; as many answers a prompt as a chain has.</summary>
    IterativeDpo,

    /// <summary>The pairs of ARIES, but only their chosen responses are learnt (Eq. 4): no preference loss.</summary>
    SupervisedOnly,
}
