namespace Aries.Managed;

/// <summary>The few operations of a vector that a product needs, so that one tile is written for every width.</summary>
/// <typeparam name="TVector">The processor's vector.</typeparam>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Gets the number of float32 lanes.</summary>
    static abstract int Width { get; }

    static abstract TVector Load(float* source);

    static abstract TVector Multiply(TVector x, TVector y);

    /// <summary>Loads the lower half of each 32-bit lane as a bfloat16.</summary>
    static abstract TVector LoadLowerHalves(byte* source);

    /// <summary>Loads the upper half of each 32-bit lane as a bfloat16.</summary>
    static abstract TVector LoadUpperHalves(byte* source);

    /// <summary>Loads a signed byte a lane.</summary>
    static abstract TVector LoadSignedBytes(byte* source);

    static abstract void Store(TVector values, float* target);

    /// <summary>Fills every lane with one value.</summary>
    static abstract TVector Broadcast(float* source);

    static abstract TVector Add(TVector x, TVector y);

    /// <summary>Computes x·y + z with one rounding.</summary>
    static abstract TVector MultiplyAdd(TVector x, TVector y, TVector z);

    /// <summary>Copies a square of <see cref="Width"/> values a side: target[j, i] = source[i, j].</summary>
    static abstract void Transpose(float* source, nint sourceRow, float* target, nint targetRow);
}
