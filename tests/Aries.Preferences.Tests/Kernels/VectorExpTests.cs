using System.Numerics;
using System.Runtime.Intrinsics;
using CsCheck;

namespace Aries.Preferences.Tests;

public class VectorExpTests
{
    [Fact]
    public void Exp_Double_IsWithinTwoUnitsInTheLastPlace() => Gen.Double[-708, 709].Sample(x =>
    {
        double expected = Math.Exp(x);
        double actual = VectorExp.Exp(Vector.Create(x)).GetElement(1);
        Assert.True(Math.Abs(BitConverter.DoubleToInt64Bits(expected) - BitConverter.DoubleToInt64Bits(actual)) <= 2, $"e^{x:R}: expected {expected:R}, got {actual:R}");
    }, iter: 50_000);

    [Fact]
    public void Exp_Single_IsWithinItsStatedError() => Gen.Float[-87, 88].Sample(x =>
    {
        double expected = Math.Exp(x);
        Assert.Equal(expected, VectorExp.Exp(Vector512.Create(x)).GetElement(1), 2e-7 * expected);
    }, iter: 50_000);

    [Fact]
    public void Exp_EightLanesOrSixteen_GiveTheSameBits() => Gen.Float[-100, 100].Sample(x =>
        Assert.Equal(
            BitConverter.SingleToInt32Bits(VectorExp.Exp(Vector256.Create(x)).GetElement(3)),
            BitConverter.SingleToInt32Bits(VectorExp.Exp(Vector512.Create(x)).GetElement(13))), iter: 50_000);

    [Fact]
    public void Exp_Edges_GiveTheLimit()
    {
        Assert.Equal(1, VectorExp.Exp(Vector.Create(0.0)).ToScalar());
        Assert.Equal(1, VectorExp.Exp(Vector512.Create(-0.0f)).ToScalar());
        Assert.Equal(0, VectorExp.Exp(Vector.Create(double.NegativeInfinity)).ToScalar());
        Assert.Equal(0, VectorExp.Exp(Vector512.Create(float.NegativeInfinity)).ToScalar());
        Assert.Equal(0, VectorExp.Exp(Vector.Create(-1e4)).ToScalar());
        Assert.Equal(0, VectorExp.Exp(Vector512.Create(-1e4f)).ToScalar());
        Assert.Equal(0, VectorExp.Exp(Vector256.Create(float.NegativeInfinity)).ToScalar());
        Assert.True(double.IsNaN(VectorExp.Exp(Vector.Create(double.NaN)).ToScalar()));
        Assert.True(float.IsNaN(VectorExp.Exp(Vector256.Create(float.NaN)).ToScalar()));
        Assert.True(float.IsNaN(VectorExp.Exp(Vector512.Create(float.NaN)).ToScalar()));
    }
}
